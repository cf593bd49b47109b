//! Topics and services of ROS as services of the directory.

use std::time::Duration;

use keyway::{Session, value::Value};
use keyway_bridge::Mode;
use keyway_bridge_ros2::{
    Options, RosOptions,
    rules::{Import, Imported},
};
use keyway_tests::eventually;

use crate::world::World;

fn imported(name: &str, kind: &str, member: &str) -> Imported {
    Imported { name: name.to_owned(), kind: kind.parse().unwrap(), member: member.to_owned(), timeout: None }
}

fn chat() -> Import {
    Import {
        service: "RosChat".to_owned(),
        subscribe: vec![imported("/chatter", "std_msgs/String", "heard")],
        publish: vec![imported("/led", "std_msgs/String", "led")],
        call: vec![imported("/set", "std_srvs/SetBool", "set")],
    }
}

/// The world, and the imported service as a program on the bus sees it.
async fn world() -> Option<(World, Session, keyway::Proxy)> {
    let options = |options| Options { ros: RosOptions { imports: vec![chat()], ..RosOptions::default() }, ..options };
    let world = World::with(Mode::Write, options).await?;
    let session = Session::connect(&world.url).await.unwrap();
    let chat = eventually("the import", session.wait_for_service("RosChat")).await.unwrap();
    Some((world, session, chat))
}

#[tokio::test(flavor = "multi_thread")]
async fn ros_042_topics_and_services_of_rclpy_are_signals_and_methods() {
    let Some((mut world, _session, chat)) = world().await else { return };
    let mut heard = chat.signal::<(Value,)>("heard").await.unwrap();
    let program = "
from std_msgs.msg import String
from std_srvs.srv import SetBool
publisher = node.create_publisher(String, '/chatter', 10)
def publish(text):
    publisher.publish(String(data=text))
    rclpy.spin_once(node, timeout_sec=0.01)
";
    world.node.run(program).await;
    // What is published before both sides know each other is for nobody.
    eventually("the bridge's reader", async {
        loop {
            world.node.run("publish('hello')").await;
            if tokio::time::timeout(Duration::from_millis(200), heard.next()).await.is_ok() {
                return;
            }
        }
    })
    .await;
    world.node.run("for number in range(20): publish(str(number))").await;
    for number in 0..20 {
        let mut next = async || eventually("a message", heard.next()).await.unwrap().unwrap().0.to_string();
        let mut message = next().await;
        while number == 0 && message == r#"{"data":"hello"}"# {
            message = next().await;
        }
        assert_eq!(message, format!("{{\"data\":\"{number}\"}}"));
    }

    let failure = chat.call::<Value>("set", (true,)).await.unwrap_err();
    assert!(failure.to_string().contains("ros service /set is not available"), "{failure}");
    let program = "
served = []
def set(request, response):
    served.append(request.data)
    response.success, response.message = request.data, 'set by rclpy'
    return response
service = node.create_service(SetBool, '/set', set)
leds = []
node.create_subscription(String, '/led', lambda message: leds.append(message.data), 10)
";
    world.node.run(program).await;
    let calling = async {
        loop {
            match chat.call::<Value>("set", (true,)).await {
                Err(error) if error.to_string().contains("not available") => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                result => return result,
            }
        }
    };
    let serving = world.node.run("until(lambda: served)");
    let (result, _) = tokio::join!(eventually("the response", calling), serving);
    assert_eq!(result.unwrap().to_string(), r#"{"success":true,"message":"set by rclpy"}"#);

    world.node.run("until(lambda: node.count_publishers('/led'))").await;
    eventually("the topic", async {
        chat.call::<()>("led", ("red",)).await.unwrap();
        while world.node.run("rclpy.spin_once(node, timeout_sec=0.2)\nprint(leds)").await == "[]\n" {
            chat.call::<()>("led", ("red",)).await.unwrap();
        }
    })
    .await;

    world.node.run("node.destroy_service(service)").await;
    let failure = eventually("the failure", async {
        loop {
            if let Err(error) = chat.call::<Value>("set", (true,)).await {
                return error;
            }
        }
    })
    .await;
    assert!(failure.to_string().contains("ros service /set is"), "{failure}");
}
