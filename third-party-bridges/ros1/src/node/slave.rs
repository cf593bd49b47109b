//! Answers to other nodes and to the master (spec 3).

use super::Node;
use crate::xmlrpc::{XmlCall, XmlFault, XmlValue};

impl Node {
    /// The answer to a call. Work that takes time happens after it.
    pub(crate) fn answer(&self, call: &XmlCall) -> Result<XmlValue, XmlFault> {
        let param = |position: usize| call.params.get(position).and_then(XmlValue::as_str).unwrap_or_default();
        Ok(match call.method.as_str() {
            "getBusInfo" => success("", self.bus_info()),
            "getBusStats" => success("", array([array([]), array([]), array([])])),
            "getMasterUri" => success("", XmlValue::text(self.master.uri())),
            "getPid" => success("", XmlValue::Int(i32::try_from(std::process::id()).unwrap_or(i32::MAX))),
            "getPublications" => {
                let graph = self.graph();
                let pairs = graph.publications.values().map(|topic| pair(&topic.name, &topic.kind));
                success("", array(pairs))
            }
            "getSubscriptions" => {
                let graph = self.graph();
                let pairs = graph.subscriptions.values().map(|topic| pair(topic.name(), &topic.kind().to_string()));
                success("", array(pairs))
            }
            "paramUpdate" => {
                self.parameter(param(1), call.params.get(2).unwrap_or(&XmlValue::Bool(false)));
                success("", XmlValue::Int(0))
            }
            "publisherUpdate" => {
                if let Some(subscription) = self.subscription(param(1)) {
                    subscription.publishers(&call.params.get(2).map(XmlValue::texts).unwrap_or_default());
                }
                success("", XmlValue::Int(0))
            }
            "requestTopic" => self.request_topic(param(1), call.params.get(2)),
            "shutdown" => {
                let (caller, reason) = (param(0), param(1));
                self.warn(&format!(
                    "told to shut down by {caller} ({reason}); the bridge leaves the ROS graph and comes back"
                ));
                self.dismissed.notify_one();
                success("shutdown", XmlValue::Int(0))
            }
            other => {
                let method: String = other.chars().take(60).collect();
                return Err(XmlFault { code: -1, text: format!("{method}: unknown method name") });
            }
        })
    }

    fn request_topic(&self, topic: &str, protocols: Option<&XmlValue>) -> XmlValue {
        let protocols = protocols.and_then(XmlValue::as_array).unwrap_or_default();
        let is_tcpros = |protocol: &XmlValue| {
            protocol.as_array().and_then(<[XmlValue]>::first).and_then(XmlValue::as_str) == Some("TCPROS")
        };
        if self.publication(topic).is_none() {
            return answer(0, &format!("Not a publisher of [{topic}]"), XmlValue::Int(0));
        }
        if !protocols.iter().any(is_tcpros) {
            return answer(0, "no supported protocol", XmlValue::Int(0));
        }
        let address = [XmlValue::text("TCPROS"), XmlValue::text(&self.host), XmlValue::Int(self.port.into())];
        success(&format!("ready on {}:{}", self.host, self.port), array(address))
    }

    fn bus_info(&self) -> XmlValue {
        let graph = self.graph();
        let mut links = Vec::new();
        let mut link = |peer: &str, direction: &str, topic: &str| {
            let id = XmlValue::Int(i32::try_from(links.len()).unwrap_or(i32::MAX));
            let texts = [peer, direction, "TCPROS", topic].map(XmlValue::text);
            links.push(array([id].into_iter().chain(texts).chain([XmlValue::Bool(true)])));
        };
        for topic in graph.publications.values() {
            topic.callers().iter().for_each(|caller| link(caller, "o", &topic.name));
        }
        for topic in graph.subscriptions.values() {
            topic.connected().iter().for_each(|publisher| link(publisher, "i", topic.name()));
        }
        XmlValue::Array(links)
    }
}

fn answer(code: i32, status: &str, value: XmlValue) -> XmlValue {
    array([XmlValue::Int(code), XmlValue::text(status), value])
}

fn success(status: &str, value: XmlValue) -> XmlValue {
    answer(1, status, value)
}

fn array(items: impl IntoIterator<Item = XmlValue>) -> XmlValue {
    XmlValue::Array(items.into_iter().collect())
}

fn pair(first: &str, second: &str) -> XmlValue {
    array([XmlValue::text(first), XmlValue::text(second)])
}
