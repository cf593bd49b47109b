//! Nodes that come and go: the DDS library forgets none of them.

use std::process::Stdio;

use keyway_bridge::Mode;
use keyway_bridge_ros2::Options;
use keyway_tests::{eventually, ros2::python};

use crate::world::World;

/// The participant that publishes the list of services.
const PARTICIPANT: &str = "
seen = []
until(lambda: seen.extend(node.get_publishers_info_by_topic('/qi/services')) or seen)
print(bytes(seen[0].endpoint_gid[:12]).hex())
";

/// A node that sees the bridge, and leaves.
const PASSER_BY: &str = "
import rclpy, time
rclpy.init()
node = rclpy.create_node('passer_by')
while not node.count_publishers('/qi/services'):
    time.sleep(0.01)
node.destroy_node()
rclpy.shutdown()
";

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_that_many_have_left_is_entered_anew_and_all_is_there_again() {
    let renewed = |options| Options { renew_after: 1, ..options };
    let Some(mut world) = World::with(Mode::Write, renewed).await else { return };
    let first = world.node.run(PARTICIPANT).await;
    let add = "print(*named('RosProbe', 'add', 2, 3))";
    assert_eq!(world.node.run(add).await, "True 5\n");

    eventually("another participant", async {
        loop {
            let mut passer_by = world.domain.command(&python().unwrap());
            let ended = passer_by.args(["-c", PASSER_BY]).stdin(Stdio::null()).output().await.unwrap();
            assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
            if world.node.run(PARTICIPANT).await != first {
                return;
            }
        }
    })
    .await;
    eventually("a sum", async { while world.node.attempt(add).await.ok().as_deref() != Some("True 5\n") {} }).await;
}
