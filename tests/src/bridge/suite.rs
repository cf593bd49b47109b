//! What every bridge has to pass. [`bridge_suite!`](crate::bridge_suite) makes tests of it for one more.

use std::process::{Command, Stdio};

use crate::process::{Keyway, Running};

/// A world of other programs, seen through a bridge. Its `RosProbe` is called `Probe` on the bus.
#[expect(async_fn_in_trait, reason = "tests are polled where they are")]
pub trait World {
    /// What is behind `keyway bridge` on the command line, such as `rosbridge --listen 127.0.0.1:0`.
    fn arguments(&self) -> Vec<String>;

    /// The services of the bus that peers see, in any order.
    async fn services(&self, bridge: &Running) -> Vec<String>;

    /// Calls `Probe.add`; or the error that the peer gets.
    async fn add(&self, bridge: &Running, a: i32, b: i32) -> Result<i32, String>;

    /// What `Probe.gain` is, as peers see it.
    async fn gain(&self, bridge: &Running) -> Result<f64, String>;

    /// Sets it.
    async fn set_gain(&self, bridge: &Running, gain: f64) -> Result<(), String>;

    /// What peers need to find each other (a master, a name server) is killed and started again at the same address.
    async fn restart(&mut self);
}

/// Makes tests of a bridge: `bridge_suite!(MyWorld::start())`, where that is a future of an `Option`; `None` skips.
#[macro_export]
macro_rules! bridge_suite {
    ($world:expr) => {
        $crate::bridge_suite!(@ $world;
            nothing_serves_without_the_flag_or_a_list_of_services = refuses,
            only_what_is_named_is_exposed = exposes_what_is_named,
            a_bridge_in_read_mode_changes_nothing = only_reads,
            restarts_of_either_side_are_survived = survives_restarts,
            nothing_is_left_behind = cleans_up,
            services_of_libqi_s_directory_are_shown = stands_before_libqi,
            only_what_its_role_may_is_shown_by_a_gateway = is_held_by_its_role,
        );
    };
    (@ $world:expr; $($name:ident = $check:ident,)*) => {
        $(
            #[tokio::test]
            async fn $name() {
                if let Some(world) = $world.await {
                    $crate::bridge::checks::$check(world).await;
                }
            }
        )*
    };
}

/// The checks, each with a world of its own.
pub mod checks {
    use std::{process::Output, time::Duration};

    use keyway::{Directory, Object};
    use tokio::time::sleep;

    use super::{Command, Keyway, Running, Stdio, World};
    use crate::{
        bridge::{RosProbe, start_directory},
        eventually,
        gateway::{Gateway, token_of, user},
        libqi,
    };

    /// A bus with the probe and something else.
    struct Bus {
        directory: Directory,
        url: String,
        probe: RosProbe,
    }

    /// The services of a bus.
    async fn host(url: &str) -> RosProbe {
        let probe = RosProbe::register(url, "Probe").await;
        let mut other = Object::builder();
        other.method("add", |(a, b): (i32, i32)| a + b);
        probe.session.register("Other", other).await.expect("the name is free");
        probe
    }

    impl Bus {
        async fn start(url: &str) -> Self {
            let directory = start_directory(url).await;
            let url = directory.urls().remove(0);
            let probe = host(&url).await;
            Self { directory, url, probe }
        }

        async fn stop(self) {
            self.probe.session.close().await;
            self.directory.close().await;
        }
    }

    fn command(world: &impl World, url: &str, more: &[&str]) -> Command {
        let mut command = Command::new(Keyway::program());
        command.arg("bridge").args(world.arguments()).args(["--directory", url]).args(more);
        command
    }

    fn start(world: &impl World, url: &str, more: &[&str]) -> Running {
        Running::start(command(world, url, &[&["--insecure"], more].concat()).env("RUST_LOG", "info"))
    }

    /// Asks again until it is so.
    async fn until<T: PartialEq>(what: &str, wanted: &T, ask: impl AsyncFn() -> T) {
        eventually(what, async {
            while ask().await != *wanted {
                sleep(Duration::from_millis(50)).await;
            }
        })
        .await;
    }

    async fn sees(world: &impl World, bridge: &Running, services: &[&str]) {
        let wanted: Vec<_> = services.iter().map(|name| (*name).to_owned()).collect();
        until("services that peers see", &wanted, async || {
            let mut services = world.services(bridge).await;
            services.sort();
            services
        })
        .await;
    }

    /// Without `--insecure`, or without services, nothing runs.
    pub async fn refuses(world: impl World) {
        let bus = Bus::start("tcp://127.0.0.1:0").await;
        let run = |more: &[&str]| -> Output {
            let mut command = command(&world, &bus.url, more);
            command.stdin(Stdio::null()).output().expect("the command starts")
        };
        let cases: [(&[&str], &str); 4] = [
            (&["--service", "Probe"], "--insecure"),
            (&["--insecure"], "--service"),
            (&["--insecure", "--service", "!Probe"], "--service"),
            (&["--insecure", "--service", "."], "is no pattern"),
        ];
        for (arguments, reason) in cases {
            let output = run(arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(2), "{arguments:?}: {said}");
            assert!(said.contains(reason) && output.stdout.is_empty(), "{arguments:?}: {said}");
        }
        bus.stop().await;
    }

    /// Services and members that no entry names are not there.
    pub async fn exposes_what_is_named(world: impl World) {
        let bus = Bus::start("tcp://127.0.0.1:0").await;
        let shown = ["--mode", "write", "--service", "Probe", "!Probe.add", "Late"];
        let mut bridge = start(&world, &bus.url, &shown);
        sees(&world, &bridge, &["Probe"]).await;
        assert_eq!(world.gain(&bridge).await, Ok(2.5));
        assert!(world.add(&bridge, 2, 3).await.is_err(), "hidden members cannot be called");
        let mut late = Object::builder();
        late.method("hello", |()| 1);
        let id = bus.probe.session.register("Late", late).await.expect("the name is free");
        sees(&world, &bridge, &["Late", "Probe"]).await;
        bus.probe.session.unregister(id).await.expect("it is there");
        sees(&world, &bridge, &["Probe"]).await;
        let said = bridge.stop();
        assert!(said.contains("insecure bridge") && said.contains("Probe"), "{said}");
        for url in &bridge.urls {
            assert!(said.contains(url.as_str()), "the warning names {url}: {said}");
        }
        bus.stop().await;
    }

    /// In read mode, which is the usual one, properties are read and nothing else.
    pub async fn only_reads(world: impl World) {
        let bus = Bus::start("tcp://127.0.0.1:0").await;
        let mut bridge = start(&world, &bus.url, &["--service", "Probe"]);
        sees(&world, &bridge, &["Probe"]).await;
        assert_eq!(world.gain(&bridge).await, Ok(2.5));
        let refused = world.add(&bridge, 2, 3).await.unwrap_err();
        assert!(refused.contains("read-only bridge"), "{refused}");
        let refused = world.set_gain(&bridge, 9.0).await.unwrap_err();
        assert!(refused.contains("read-only bridge"), "{refused}");
        assert_eq!(bus.probe.gain.get(), 2.5);
        bridge.stop();
        bus.stop().await;
    }

    /// The directory is lost and comes back, and so does what peers need.
    pub async fn survives_restarts(mut world: impl World) {
        let bus = Bus::start("tcp://127.0.0.1:0").await;
        let url = bus.url.clone();
        let mut bridge = start(&world, &url, &["--mode", "write", "--service", "Probe"]);
        sees(&world, &bridge, &["Probe"]).await;
        assert_eq!(world.add(&bridge, 2, 3).await, Ok(5));
        bus.stop().await;
        sees(&world, &bridge, &[]).await;
        let bus = Bus::start(&url).await;
        sees(&world, &bridge, &["Probe"]).await;
        until("calls after the restart of the directory", &Ok(5), async || world.add(&bridge, 2, 3).await).await;
        world.restart().await;
        sees(&world, &bridge, &["Probe"]).await;
        until("calls after the restart of the world", &Ok(7), async || world.add(&bridge, 3, 4).await).await;
        world.set_gain(&bridge, 4.0).await.expect("it may be set");
        assert_eq!(bus.probe.gain.get(), 4.0);
        bridge.stop();
        bus.stop().await;
    }

    /// A bridge that is told to end does so, and the next one takes its place.
    pub async fn cleans_up(world: impl World) {
        let bus = Bus::start("tcp://127.0.0.1:0").await;
        for _ in 0..2 {
            let mut bridge = start(&world, &bus.url, &["--mode", "write", "--service", "Probe"]);
            sees(&world, &bridge, &["Probe"]).await;
            assert_eq!(world.add(&bridge, 2, 3).await, Ok(5));
            // Ends by itself, without an error, and what it had on the bus is gone.
            bridge.stop();
            assert!(world.services(&bridge).await.is_empty(), "nothing is left in the world");
        }
        until("subscriptions that are left", &0, async || bus.probe.tick.subscribers()).await;
        bus.stop().await;
    }

    /// In front of an untouched robot.
    pub async fn stands_before_libqi(world: impl World) {
        let Some(python) = libqi::peer_python() else { return };
        let robot = libqi::directory(&python, "tcp://127.0.0.1:0");
        let probe = host(&robot.url).await;
        let mut bridge = start(&world, &robot.url, &["--mode", "write", "--service", "Probe"]);
        sees(&world, &bridge, &["Probe"]).await;
        assert_eq!(world.add(&bridge, 2, 3).await, Ok(5));
        world.set_gain(&bridge, 4.0).await.expect("it may be set");
        assert_eq!(world.gain(&bridge).await, Ok(4.0));
        bridge.stop();
        probe.session.close().await;
    }

    /// Over TLS, as a user whose role may use some members of one service: a bridge that exposes everything shows no more.
    pub async fn is_held_by_its_role(world: impl World) {
        let bus = Bus::start("tcp://127.0.0.1:0").await;
        let tls = tempfile::tempdir().expect("a folder for certificates");
        let folder = tls.path().display().to_string();
        for arguments in [&["cert", "new-ca", "--dir"][..], &["cert", "server", "--host", "127.0.0.1", "--dir"]] {
            let made = Keyway::run(&[arguments, &[&folder]].concat());
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        }
        let [ca, cert, key] = ["ca.pem", "server.pem", "server.key"].map(|file| format!("{folder}/{file}"));
        let listen = ["--listen", "tcps://127.0.0.1:0", "--server-cert", &cert, "--server-key", &key];
        let gateway = Gateway::start(&bus.url, &[ROLE, &user("bridge", "bridge")].concat(), &listen);
        let everything = ["--mode", "write", "--service", "*", "--user", "bridge", "--ca", &ca];
        let token = token_of("bridge");
        let arguments = [&everything[..], &["--token", &token]].concat();
        let mut bridge = start(&world, gateway.url(), &arguments);
        sees(&world, &bridge, &["Probe"]).await;
        assert_eq!(world.gain(&bridge).await, Ok(2.5));
        assert_eq!(world.add(&bridge, 2, 3).await, Ok(5));
        world.set_gain(&bridge, 4.0).await.expect_err("the role may not");
        assert_eq!(bus.probe.gain.get(), 2.5);
        bridge.stop();
        bus.stop().await;
    }

    /// One service, and of that not everything.
    const ROLE: &str = r#"
[[role]]
name = "bridge"

[[rule]]
role = "bridge"
service = "Probe"
allow = ["add", "read:*", "subscribe:*"]
"#;
}
