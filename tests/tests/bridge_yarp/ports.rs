//! Which ports there are (YARP-003 to YARP-006).

use crate::stage::{R, Stage};

#[tokio::test(flavor = "multi_thread")]
async fn yarp_003_services_are_listed() {
    let Some(stage) = Stage::start().await else { return };
    let listed = stage.world.yarp(&["name", "list", "/qi/YarpProbe"]).await;
    for part in ["rpc:i", "tick:o", "alarm:o", "gain:o", "mode:o", "any:o"] {
        let name = format!("registration name /qi/YarpProbe/{part} ip 127.0.0.1 port ");
        let line = listed.lines().find(|line| line.contains(&name)).unwrap_or_else(|| panic!("{part}: {listed}"));
        assert!(line.ends_with("type tcp"), "{line}");
    }
    let names = stage.world.names("/qi").await;
    assert_eq!(names.len(), 8, "{names:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_005_ports_exist() {
    let Some(stage) = Stage::start().await else { return };
    let exists = stage.world.run(&["exists", R], "").await;
    assert!(exists.1, "{exists:?}");
    assert!(!stage.world.run(&["exists", "/qi/YarpProbe/nothing:o"], "").await.1);
}

#[tokio::test(flavor = "multi_thread")]
async fn yarp_006_ports_answer_a_ping() {
    let Some(stage) = Stage::start().await else { return };
    let said = stage.world.yarp(&["ping", R]).await;
    let lines: Vec<_> = said.lines().filter(|line| line.contains("Th")).collect();
    let [this, none, ping] = lines[..] else { panic!("{said}") };
    assert!(this.contains(&format!("This is \"{R}\" at \"tcp://127.0.0.1:")), "{said}");
    assert!(none.contains("There are no outgoing connections"), "{said}");
    assert!(
        ping.contains(&format!("There is an input connection from \"<ping>\" to \"{R}\" using text_ack")),
        "{said}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_bridge_itself_says_which_services_there_are() {
    let Some(stage) = Stage::start().await else { return };
    assert_eq!(stage.world.rpc("/qi/rpc:i", "list").await, "YarpProbe");
    assert!(stage.world.rpc("/qi/rpc:i", "help").await.contains("list"));
    let mut events = stage.world.reader(&["/d", "/qi/directory:o"]);
    stage.world.wait_until_said(&["ping", "/qi/directory:o"], "to \"/d\"").await;
    stage.host.close().await;
    assert_eq!(events.line().await, "removed YarpProbe");
    stage.world.wait_for_name(R, false).await;
}
