//! A client of rosbridge, and the world that it sees.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async, tungstenite::Message};

use super::World;
use crate::{eventually, process::Running};

/// A client that says what a test wants said.
#[derive(Debug)]
pub struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Client {
    /// Connects, if somebody listens.
    ///
    /// # Errors
    ///
    /// When nobody does.
    pub async fn connect(url: &str) -> Result<Self, String> {
        let connecting = eventually("connecting", connect_async(url)).await;
        connecting.map(|(socket, _)| Self(socket)).map_err(|error| error.to_string())
    }

    /// Sends a message.
    ///
    /// # Panics
    ///
    /// When the bridge is gone.
    pub async fn send(&mut self, message: &Value) {
        self.send_frame(Message::text(message.to_string())).await;
    }

    /// Sends a frame of any kind.
    ///
    /// # Panics
    ///
    /// When the bridge is gone.
    pub async fn send_frame(&mut self, frame: Message) {
        self.0.send(frame).await.expect("the bridge is there");
    }

    /// The next message that is text.
    ///
    /// # Panics
    ///
    /// When there are no more.
    pub async fn next(&mut self) -> Value {
        loop {
            let frame = eventually("a message", self.0.next()).await;
            match frame.expect("the bridge is there").expect("a frame") {
                Message::Text(text) => return serde_json::from_str(&text).expect("the bridge speaks JSON"),
                Message::Close(_) => panic!("the bridge has closed the connection"),
                _ => {}
            }
        }
    }

    /// Calls a service: the values, or those of the failure.
    ///
    /// # Errors
    ///
    /// What the service says.
    pub async fn call(&mut self, service: &str, args: Value) -> Result<Value, Value> {
        self.send(&json!({ "op": "call_service", "id": "call", "service": service, "args": args })).await;
        loop {
            let mut message = self.next().await;
            if message["op"] == "service_response" && message["id"] == "call" {
                let values = message["values"].take();
                return if message["result"] == true { Ok(values) } else { Err(values) };
            }
        }
    }
}

/// Clients need nobody to find the bridge, but its address.
#[derive(Debug)]
pub struct Clients;

impl Clients {
    /// They are always there.
    pub async fn start() -> Option<Self> {
        Some(Self)
    }

    /// Where a bridge, which may serve other worlds too, listens for them.
    pub fn url(bridge: &Running) -> &str {
        bridge.urls.iter().find(|url| url.starts_with("ws://")).unwrap_or(&bridge.url)
    }

    async fn call(bridge: &Running, service: &str, args: Value) -> Result<Value, String> {
        let mut client = Client::connect(Self::url(bridge)).await?;
        client.call(service, args).await.map_err(|error| error.as_str().unwrap_or_default().to_owned())
    }
}

impl World for Clients {
    fn arguments(&self) -> Vec<String> {
        ["rosbridge", "--listen", "127.0.0.1:0"].map(str::to_owned).into()
    }

    async fn services(&self, bridge: &Running) -> Vec<String> {
        let Ok(found) = Self::call(bridge, "/rosapi/services", json!({})).await else { return Vec::new() };
        let names = found["services"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let mut services: Vec<_> =
            names.filter_map(|name| Some(name.strip_prefix("/qi/")?.split_once('/')?.0.to_owned())).collect();
        services.dedup();
        services
    }

    async fn add(&self, bridge: &Running, a: i32, b: i32) -> Result<i32, String> {
        let values = Self::call(bridge, "/qi/Probe/add", json!({ "a": a, "b": b })).await?;
        Ok(i32::try_from(values["value"].as_i64().unwrap_or_default()).unwrap_or_default())
    }

    async fn gain(&self, bridge: &Running) -> Result<f64, String> {
        let mut client = Client::connect(Self::url(bridge)).await?;
        client.send(&json!({ "op": "subscribe", "topic": "/qi/Probe/gain", "type": "std_msgs/Float64" })).await;
        client.next().await["msg"]["data"].as_f64().ok_or_else(|| "no number".to_owned())
    }

    async fn set_gain(&self, bridge: &Running, gain: f64) -> Result<(), String> {
        Self::call(bridge, "/qi/Probe/set_gain", json!({ "value": gain })).await.map(drop)
    }

    async fn restart(&mut self) {}
}
