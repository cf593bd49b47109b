//! B2: nothing before authentication, and afterwards what the policy allows and nothing else; with the real libqi on both
//! sides, and with frames that no libqi sends.

mod before_authentication;
mod limits;
mod refusals;

use std::sync::Arc;

use keyway::{MetaObject, Session};
use keyway_tests::{
    eventually,
    gateway::{Gateway, token_of, user},
    libqi::{Driven, peer_python},
    process::{Keyway, Running},
    raw::{Address, Raw},
};
use keyway_value::{ObjectId, ServiceId};

/// Clients share the gateway's connections to service hosts, or each has its own.
const UPSTREAMS: [&str; 2] = ["dedicated", "shared"];

const POLICY: &str = r#"
[[role]]
name = "guest"

[[rule]]
name = "guests speak"
role = "guest"
service = "ALTextToSpeech"
allow = ["say"]

[[rule]]
name = "no shouting"
role = "guest"
service = "ALTextToSpeech"
deny = ["shout"]

[[role]]
name = "limited"

[[rule]]
name = "gentle"
role = "limited"
service = "ALMotion"
allow = ["setStiffnesses"]
when = "setStiffnesses: #1 <= 0.5"

[[rule]]
name = "now and then"
role = "limited"
service = "ALTextToSpeech"
allow = ["say"]
rate = "1/min"
burst = 3

[[rule]]
name = "quiet"
role = "limited"
service = "ALTextToSpeech"
allow = ["write:volume"]
when = "write:volume: #0 <= 50"

[[rule]]
name = "they look"
role = "limited"
service = "ALTextToSpeech"
allow = ["read:volume"]

[[role]]
name = "maker"

[[rule]]
name = "makers make"
role = "maker"
service = "ALTextToSpeech"
allow = ["make", "say"]
"#;

/// Services of the robot inside, and what was done to them.
const ROBOT: &str = r#"
class Child(object):
    def __init__(self):
        self.fired = qi.Signal("(i)")
        self.label = qi.Property("s")
    def who(self):
        done.append("who")
        return "child"

@qi.multiThreaded()
class Speech(object):
    def __init__(self):
        self.textDone = qi.Signal("(s)")
        self.volume = qi.Property("i")
    @qi.bind("s", ["s"])
    def say(self, text):
        done.append("say " + text)
        return text
    @qi.bind("s", ["s"])
    def shout(self, text):
        done.append("shout " + text)
        return text
    def make(self):
        done.append("make")
        return Child()
    def slow(self):
        done.append("slow")
        self.promise = qi.Promise(lambda promise: promise.setCanceled())
        return self.promise.future()
    def finish(self, value):
        self.promise.setValue(value)

@qi.multiThreaded()
class Motion(object):
    @qi.bind("v", ["s", "f"])
    def setStiffnesses(self, names, value):
        done.append("stiff %.2f" % value)
    @qi.bind("v", ["f"])
    def moveTo(self, x):
        done.append("move")

done = []
robot = connect(URL)
robot.listen("tcp://127.0.0.1:0")
speech = Speech()
speech.volume.setValue(30)
speech_id = robot.registerService("ALTextToSpeech", speech)
robot.registerService("ALMotion", Motion())
heard = []
inside = connect(URL)
speaker = inside.service("ALTextToSpeech")
link = speaker.textDone.connect(heard.append)
"#;

/// A robot behind a gateway.
struct Stage {
    python: String,
    robot: Driven,
    /// Of the speech and the motion.
    services: [(ServiceId, Arc<MetaObject>); 2],
    gateway: Gateway,
    _directory: Running,
}

impl Stage {
    async fn new(upstream: &str) -> Option<Self> {
        let python = peer_python()?;
        let directory = Keyway::directory(&[]);
        let mut robot = Driven::start(&python);
        robot.run(&ROBOT.replace("URL", &format!("{:?}", directory.url))).await;
        let inside = Session::connect(&directory.url).await.unwrap();
        let mut services = Vec::new();
        for name in ["ALTextToSpeech", "ALMotion"] {
            let id = inside.service_info(name).await.unwrap().service_id;
            services.push((id, inside.service(name).await.unwrap().metaobject()));
        }
        inside.close().await;
        let users = ["guest", "limited", "maker", "admin"].map(|role| user(role, role)).concat();
        let config = format!("{POLICY}{users}\n[audit]\nfolder = \"audit\"\n");
        let gateway = Gateway::start(&directory.url, &config, &["--upstream", upstream]);
        // It may still be finding out what there is.
        let builder = Session::builder().credentials("admin", token_of("admin"));
        let outside = builder.connect(gateway.url()).await.unwrap();
        for name in ["ALTextToSpeech", "ALMotion"] {
            eventually(name, outside.wait_for_service(name)).await.unwrap();
        }
        outside.close().await;
        let services = services.try_into().unwrap_or_else(|_| unreachable!("there are two"));
        Some(Self { python, robot, services, gateway, _directory: directory })
    }

    /// libqi as a client with a role; its session is `outside`.
    async fn libqi(&self, role: &str) -> Driven {
        let mut client = Driven::start(&self.python);
        let (url, token) = (self.gateway.url(), token_of(role));
        client.run(&format!("outside = connect({url:?}, {role:?}, {token:?})")).await;
        client
    }

    async fn raw(&self, role: &str) -> Raw {
        Raw::authenticated_as(self.gateway.url(), role).await
    }

    /// A member of the speech by its name.
    fn speech(&self, name: &str) -> Address {
        address(&self.services[0], name)
    }

    /// A member of the motion by its name.
    fn motion(&self, name: &str) -> Address {
        address(&self.services[1], name)
    }

    /// What was done inside.
    async fn done(&mut self) -> Vec<String> {
        let done = self.robot.run("done").await;
        serde_json::from_value(done).unwrap()
    }
}

fn address((service, metaobject): &(ServiceId, Arc<MetaObject>), name: &str) -> Address {
    let methods = metaobject.methods.values().map(|method| (method.uid, &method.name));
    let signals = metaobject.signals.values().map(|signal| (signal.uid, &signal.name));
    let properties = metaobject.properties.values().map(|property| (property.uid, &property.name));
    let found = methods.chain(signals).chain(properties).find(|(_, known)| *known == name);
    (service.0, ObjectId::MAIN.0, found.unwrap_or_else(|| panic!("there is no {name}")).0)
}
