//! The profile of NAO and Pepper, `nao-ros.toml`, as it is shipped: a robot with NAOqi's services, the command, and nodes of ROS 1.

use std::{fs, path::Path, process::Command};

use keyway::Directory;
use keyway_tests::{
    eventually,
    nao::Nao,
    process::{Keyway, Running},
    ros1::{self, RosMaster},
};
use tokio::io::{AsyncBufReadExt, BufReader};

/// The file that users take.
const PROFILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../third-party-bridges/examples/nao-ros.toml");

struct Robot {
    master: RosMaster,
    nao: Nao,
    bridge: Running,
    directory: Directory,
}

impl Robot {
    async fn start() -> Option<Self> {
        if !ros1::is_installed() {
            return None;
        }
        let directory = Directory::builder().listen("tcp://127.0.0.1:0").start().await.unwrap();
        let url = directory.urls().remove(0);
        let nao = Nao::register(&url).await;
        let master = RosMaster::start();
        assert!(Path::new(PROFILE).exists(), "{PROFILE}");
        let mut command = Command::new(Keyway::program());
        command.args(["bridge", "ros1", "--insecure", "--config", PROFILE, "--directory", &url]);
        let bridge = Running::start(command.args(["--master", &master.uri()]));
        eventually("registration", async {
            while !master.tool("rosparam", &["get", "/qi/services"]).await.out.contains("ALTextToSpeech") {
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        })
        .await;
        Some(Self { master, nao, bridge, directory })
    }

    /// One message of a topic, as rostopic prints it.
    async fn echo(&self, topic: &str) -> String {
        self.master.tool("rostopic", &["echo", "-n", "1", topic]).await.ok()
    }

    /// Waits until the robot has done this last.
    async fn has_done(&self, last: &str) {
        eventually(last, async {
            while self.nao.done().last().is_none_or(|done| done != last) {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn velocities_move_the_robot_and_silence_stops_it() {
    let Some(robot) = Robot::start().await else { return };
    let program = "
import rospy, geometry_msgs.msg
rospy.init_node('teleop')
publisher = rospy.Publisher('/cmd_vel', geometry_msgs.msg.Twist, queue_size=1)
while publisher.get_num_connections() == 0: rospy.sleep(0.01)
message = geometry_msgs.msg.Twist()
message.linear.x = 0.25
message.angular.z = -0.5
for _ in range(50):
    publisher.publish(message)
    rospy.sleep(0.02)
";
    robot.master.python(program).await.ok();
    robot.has_done("stopMove").await;
    let done = robot.nao.done();
    let (stop, moves) = done.split_last().unwrap();
    assert_eq!(stop, "stopMove");
    assert!(!moves.is_empty() && moves.len() <= 25, "20 a second at most: {done:?}");
    assert!(moves.iter().all(|done| done == "move 0.25 0 -0.5"), "{done:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_moves_is_stopped_when_the_bridge_ends() {
    let Some(mut robot) = Robot::start().await else { return };
    let driving = robot.master.start_tool("rostopic", &["pub", "-r", "10", "/cmd_vel", "geometry_msgs/Twist", "{}"]);
    robot.has_done("move 0 0 0").await;
    robot.bridge.stop();
    assert_eq!(robot.nao.done().last().map(String::as_str), Some("stopMove"));
    drop(driving);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_text_is_said_in_order() {
    let Some(robot) = Robot::start().await else { return };
    let program = "
import rospy, std_msgs.msg
rospy.init_node('talker')
publisher = rospy.Publisher('/speech', std_msgs.msg.String, queue_size=10)
while publisher.get_num_connections() == 0: rospy.sleep(0.01)
for text in ['good', 'morning', 'everybody']: publisher.publish(text)
rospy.sleep(0.5)
";
    robot.master.python(program).await.ok();
    robot.has_done("say everybody").await;
    assert_eq!(robot.nao.done(), ["say good", "say morning", "say everybody"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn joints_are_set_and_changed_with_the_type_of_naoqi_bridge_msgs() {
    let Some(mut robot) = Robot::start().await else { return };
    // As the package has it, with comments.
    let package = robot.master.folder().join("naoqi_bridge_msgs");
    fs::create_dir_all(package.join("msg")).unwrap();
    let definition = "Header header\n\n# Names, or one of several joints\nstring[] joint_names\nfloat32[] joint_angles\n\n\
                      # 0 to 1\nfloat32 speed\n\n# 0: absolute\nuint8 relative\n";
    fs::write(package.join("msg/JointAnglesWithSpeed.msg"), definition).unwrap();
    robot.master.generate_modules(&package);
    let publish = async |fields: &str| {
        let program = format!(
            "
import rospy
from naoqi_bridge_msgs.msg import JointAnglesWithSpeed as Angles
rospy.init_node('mover')
publisher = rospy.Publisher('/joint_angles', Angles, queue_size=10)
while publisher.get_num_connections() == 0: rospy.sleep(0.01)
publisher.publish({fields})
rospy.sleep(0.3)
"
        );
        robot.master.python(&program).await.ok();
    };
    publish("joint_names=['HeadYaw', 'HeadPitch'], joint_angles=[0.5, -0.25], speed=0.125").await;
    let set = r#"setAngles ["HeadYaw","HeadPitch"] [0.5,-0.25] 0.125"#;
    robot.has_done(set).await;
    publish("joint_names=['HeadYaw'], joint_angles=[0.25], speed=0.5, relative=1").await;
    let changed = r#"changeAngles ["HeadYaw"] [0.25] 0.5"#;
    robot.has_done(changed).await;
    assert_eq!(robot.nao.done(), [set, changed]);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_inertial_sensor_is_told_without_an_orientation() {
    let Some(robot) = Robot::start().await else { return };
    let imu = robot.echo("/imu/torso").await;
    let lines: Vec<&str> = imu.lines().map(str::trim).collect();
    let told = |name: &str, xyz: [&str; 3]| lines.windows(4).any(|part| part[0] == name && part[1..] == xyz);
    assert!(told("angular_velocity:", ["x: 0.125", "y: 0.0", "z: 0.0"]), "{imu}");
    assert!(told("linear_acceleration:", ["x: 0.0", "y: 0.0", "z: -9.75"]), "{imu}");
    assert!(imu.contains("orientation_covariance: [-1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]"), "{imu}");
    assert!(imu.contains("frame_id: \"base_link\""), "{imu}");
}

#[tokio::test(flavor = "multi_thread")]
async fn joints_and_the_battery_are_told() {
    let Some(robot) = Robot::start().await else { return };
    let joints = robot.echo("/joint_states").await;
    assert!(joints.contains("frame_id: \"base_link\""), "{joints}");
    let lines: Vec<&str> = joints.lines().map(str::trim).collect();
    assert!(lines.windows(3).any(|names| names == ["- HeadYaw", "- HeadPitch", "- LShoulderPitch"]), "{joints}");
    assert!(joints.contains("position: [0.5, -0.25, 0.0]"), "{joints}");

    let battery = robot.echo("/battery").await;
    for field in ["percentage: 0.75", "current: -1.5", "temperature: 31.0", "voltage: nan", "present: True"] {
        assert!(battery.lines().any(|line| line == field), "{field}: {battery}");
    }
    assert!(robot.echo("/battery/percent").await.contains("data: 75"));
}

#[tokio::test(flavor = "multi_thread")]
async fn sonars_measure_while_somebody_listens() {
    let Some(robot) = Robot::start().await else { return };
    assert!(robot.nao.users().is_empty());
    let range = robot.echo("/sonar/left").await;
    assert!(range.contains("frame_id: \"LSonar_frame\"") && range.contains("range: 0.5"), "{range}");
    assert!(range.contains("max_range: 2.5") && range.contains("radiation_type: 0"), "{range}");
    assert!(robot.echo("/sonar/right").await.contains("range: 1.5"));
    eventually("nobody measures", async {
        while !robot.nao.users().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_both_cameras_arrive_whole_and_the_cameras_are_given_back() {
    let Some(mut robot) = Robot::start().await else { return };
    let program = "
import rospy, sensor_msgs.msg
rospy.init_node('viewer')
for topic in ['/camera/front/image_raw', '/camera/bottom/image_raw']:
    image = rospy.wait_for_message(topic, sensor_msgs.msg.Image, 30)
    data = bytearray(image.data)
    pixels = all(data[3 * at] == at % 256 and data[3 * at + 2] == 255 for at in range(0, image.width * image.height, 7))
    print(image.width, image.height, image.encoding, image.step, len(data), pixels, image.header.frame_id)
";
    let seen = robot.master.python(program).await.ok();
    let wanted = "320 240 rgb8 960 230400 True CameraTop_optical_frame\n\
                  320 240 rgb8 960 230400 True CameraBottom_optical_frame\n";
    assert_eq!(seen, wanted);
    eventually("cameras that are given back", async {
        while !robot.nao.users().is_empty() {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;

    // Also when the bridge ends while somebody looks.
    let _viewer = robot.master.start_tool("rostopic", &["hz", "/camera/front/image_raw"]);
    eventually("a camera in use", async {
        while robot.nao.users() != ["keyway_front_0"] {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    robot.bridge.stop();
    assert!(robot.nao.users().is_empty(), "{:?}", robot.nao.users());
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_the_memory_are_messages() {
    let Some(robot) = Robot::start().await else { return };
    eventually("the bridge listens", async {
        while robot.nao.listeners("FrontTactilTouched") == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    })
    .await;
    let mut echo = robot.master.start_tool("rostopic", &["echo", "/head_touch/front"]);
    let mut lines = BufReader::new(echo.stdout.take().unwrap()).lines();
    let info = async || robot.master.tool("rosnode", &["info", "/qi_bridge"]).await.ok();
    eventually("the echo", async { while !info().await.contains("topic: /head_touch/front") {} }).await;
    for touched in [1.0_f32, 0.0] {
        robot.nao.raise("FrontTactilTouched", touched);
        robot.nao.raise("RearTactilTouched", 7.0_f32);
        let line = eventually("a touch", lines.next_line()).await.unwrap().unwrap();
        assert_eq!(line, format!("data: {touched:?}"));
        assert_eq!(eventually("the separator", lines.next_line()).await.unwrap().unwrap(), "---");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_robot_that_starts_again_is_asked_again_for_what_is_asked_once() {
    let Some(mut robot) = Robot::start().await else { return };
    let _viewer = robot.master.start_tool("rostopic", &["hz", "/camera/front/image_raw"]);
    let looks = async |nao: &Nao| {
        eventually("a camera in use, and a touch listened to", async {
            while nao.users() != ["keyway_front_0"] || nao.listeners("FrontTactilTouched") == 0 {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
        })
        .await;
    };
    looks(&robot.nao).await;
    robot.nao.session.close().await;
    robot.nao = Nao::register(&robot.directory.urls()[0]).await;
    looks(&robot.nao).await;
    let image = robot.master.tool("rostopic", &["echo", "-n", "1", "--noarr", "/camera/front/image_raw"]).await.ok();
    assert!(image.contains("encoding: \"rgb8\""), "{image}");
}
