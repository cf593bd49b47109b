//! The master, as its nodes see it (spec 2).

use keyway_bridge::OptIn;

use crate::{
    http::{self, HttpError},
    xmlrpc::{XmlCall, XmlValue},
};

/// A master that is asked in the name of a node.
#[derive(Debug, Clone)]
pub(crate) struct Master {
    opt_in: OptIn,
    uri: String,
    caller: String,
}

/// Why the master did not do it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum MasterError {
    /// It was not reached.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// It refused.
    #[error("the master refuses {method}: {text}")]
    Refused { method: &'static str, text: String },
    /// It answered something else.
    #[error("the master answered {method} with something else")]
    Answer { method: &'static str },
}

impl MasterError {
    /// Whether the master itself is the trouble.
    pub(crate) const fn is_of_the_connection(&self) -> bool {
        matches!(self, Self::Http(_))
    }
}

impl Master {
    pub(crate) const fn new(opt_in: OptIn, uri: String, caller: String) -> Self {
        Self { opt_in, uri, caller }
    }

    pub(crate) fn uri(&self) -> &str {
        &self.uri
    }

    /// Changes when the master is another one.
    pub(crate) async fn pid(&self) -> Result<i32, MasterError> {
        const METHOD: &str = "getPid";
        self.call(METHOD, &[]).await?.as_int().ok_or(MasterError::Answer { method: METHOD })
    }

    pub(crate) async fn lookup_node(&self, node: &str) -> Result<String, MasterError> {
        self.text("lookupNode", &[node]).await
    }

    /// The address of a service's provider, `rosrpc://host:port`.
    pub(crate) async fn lookup_service(&self, service: &str) -> Result<String, MasterError> {
        self.text("lookupService", &[service]).await
    }

    pub(crate) async fn register_publisher(&self, topic: &str, kind: &str, api: &str) -> Result<(), MasterError> {
        self.call("registerPublisher", &[topic, kind, api]).await.map(drop)
    }

    pub(crate) async fn unregister_publisher(&self, topic: &str, api: &str) -> Result<(), MasterError> {
        self.call("unregisterPublisher", &[topic, api]).await.map(drop)
    }

    /// The addresses of those that publish already.
    pub(crate) async fn register_subscriber(
        &self,
        topic: &str,
        kind: &str,
        api: &str,
    ) -> Result<Vec<String>, MasterError> {
        self.call("registerSubscriber", &[topic, kind, api]).await.map(|value| value.texts())
    }

    pub(crate) async fn unregister_subscriber(&self, topic: &str, api: &str) -> Result<(), MasterError> {
        self.call("unregisterSubscriber", &[topic, api]).await.map(drop)
    }

    pub(crate) async fn register_service(&self, service: &str, at: &str, api: &str) -> Result<(), MasterError> {
        self.call("registerService", &[service, at, api]).await.map(drop)
    }

    pub(crate) async fn unregister_service(&self, service: &str, at: &str) -> Result<(), MasterError> {
        self.call("unregisterService", &[service, at]).await.map(drop)
    }

    pub(crate) async fn set_param(&self, key: &str, value: XmlValue) -> Result<(), MasterError> {
        self.call_with("setParam", vec![XmlValue::text(key), value]).await.map(drop)
    }

    pub(crate) async fn delete_param(&self, key: &str) -> Result<(), MasterError> {
        self.call("deleteParam", &[key]).await.map(drop)
    }

    /// Asks to be told of a parameter; its value now.
    pub(crate) async fn subscribe_param(&self, key: &str, api: &str) -> Result<XmlValue, MasterError> {
        self.call("subscribeParam", &[api, key]).await
    }

    pub(crate) async fn unsubscribe_param(&self, key: &str, api: &str) -> Result<(), MasterError> {
        self.call("unsubscribeParam", &[api, key]).await.map(drop)
    }

    async fn text(&self, method: &'static str, params: &[&str]) -> Result<String, MasterError> {
        match self.call(method, params).await? {
            XmlValue::String(text) => Ok(text),
            _ => Err(MasterError::Answer { method }),
        }
    }

    async fn call(&self, method: &'static str, params: &[&str]) -> Result<XmlValue, MasterError> {
        self.call_with(method, params.iter().copied().map(XmlValue::text).collect()).await
    }

    async fn call_with(&self, method: &'static str, params: Vec<XmlValue>) -> Result<XmlValue, MasterError> {
        let params = std::iter::once(XmlValue::text(&self.caller)).chain(params).collect();
        let call = XmlCall { method: method.to_owned(), params };
        result(method, http::call(&self.opt_in, &self.uri, &call).await?)
    }
}

/// What is in an answer `[code, status, value]`.
pub(crate) fn result(method: &'static str, answer: XmlValue) -> Result<XmlValue, MasterError> {
    let XmlValue::Array(items) = answer else {
        return Err(MasterError::Answer { method });
    };
    match <[XmlValue; 3]>::try_from(items) {
        Ok([XmlValue::Int(1), _, value]) => Ok(value),
        Ok([_, status, _]) => {
            Err(MasterError::Refused { method, text: status.as_str().unwrap_or("no reason given").to_owned() })
        }
        Err(_) => Err(MasterError::Answer { method }),
    }
}
