//! A real ROS 1 (Debian's): a master of its own, and the tools that ask it.

use std::{
    env, fs,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;
use tokio::process::Command as AsyncCommand;

/// A master and the environment of its nodes; killed when dropped.
#[derive(Debug)]
pub struct RosMaster {
    port: u16,
    home: TempDir,
    process: Option<Child>,
    /// Where generated Python modules are.
    modules: Option<PathBuf>,
}

/// Whether Debian's ROS 1 is installed. Missing, it fails the run under CI and skips the test elsewhere.
///
/// # Panics
///
/// When it is missing under CI.
pub fn is_installed() -> bool {
    let is_there = Path::new("/usr/bin/rosmaster").exists() && Path::new("/usr/bin/rostopic").exists();
    assert!(is_there || env::var_os("CI").is_none(), "ROS 1 is not installed: run `cargo xtask test`");
    if !is_there {
        eprintln!("skipped: ROS 1 is not installed; `cargo xtask test` installs it with apt-get");
    }
    is_there
}

impl RosMaster {
    /// Starts a master on a free port.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let port = free.unwrap_or_else(|error| panic!("no free port: {error}")).port();
        let home = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"));
        let mut master = Self { port, home, process: None, modules: None };
        master.restart();
        master
    }

    /// Where it is.
    pub fn uri(&self) -> String {
        format!("http://127.0.0.1:{}/", self.port)
    }

    /// Kills it, as `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            // It may have ended by itself.
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Starts it again on its port.
    ///
    /// # Panics
    ///
    /// When it does not come up.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.port.to_string();
        let mut command = self.command("/usr/bin/rosmaster");
        command.args(["--core", "-p", &port]).stdout(Stdio::null()).stderr(Stdio::null());
        self.process = Some(command.spawn().unwrap_or_else(|error| panic!("rosmaster: {error}")));
        let began = Instant::now();
        while std::net::TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(began.elapsed() < Duration::from_secs(60), "rosmaster does not come up");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Runs a tool, such as `rostopic list`, to its end.
    pub async fn tool(&self, tool: &str, arguments: &[&str]) -> Said {
        let mut command = AsyncCommand::from(self.command(&format!("/usr/bin/{tool}")));
        command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
        Said::of(crate::eventually(tool, command.output()).await.unwrap_or_else(|error| panic!("{tool}: {error}")))
    }

    /// Starts a tool and leaves it running; killed when dropped.
    ///
    /// # Panics
    ///
    /// When it does not start.
    pub fn start_tool(&self, tool: &str, arguments: &[&str]) -> tokio::process::Child {
        let mut command = AsyncCommand::from(self.command(&format!("/usr/bin/{tool}")));
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).kill_on_drop(true);
        command.spawn().unwrap_or_else(|error| panic!("{tool}: {error}"))
    }

    /// Runs a Python program that may use rospy.
    pub async fn python(&self, program: &str) -> Said {
        self.tool("python3", &["-c", program]).await
    }

    /// Starts a Python program that may use rospy; killed when dropped.
    pub fn start_python(&self, program: &str) -> tokio::process::Child {
        self.start_tool("python3", &["-c", program])
    }

    /// Makes Python modules of the package in a folder of its name, as a catkin build would, for tools that run from now on.
    ///
    /// # Panics
    ///
    /// When ROS's generators do not take the package.
    pub fn generate_modules(&mut self, package: &Path) {
        let name = package.file_name().unwrap_or_default().to_string_lossy();
        let out = self.home.path().join("modules").join(&*name);
        for (kind, generator) in [("msg", "genmsg_py.py"), ("srv", "gensrv_py.py")] {
            let files = fs::read_dir(package.join(kind)).into_iter().flatten();
            let files: Vec<PathBuf> = files.filter_map(|file| Some(file.ok()?.path())).collect();
            if files.is_empty() {
                continue;
            }
            let folder = out.join(kind);
            fs::create_dir_all(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
            let mut command = self.command(&format!("/usr/lib/genpy/{generator}"));
            command.args(["-p", &name, "-I"]).arg(format!("{name}:{}", package.join("msg").display()));
            command.args(["-I", "std_msgs:/usr/share/std_msgs/msg", "-o"]).arg(&folder).args(files);
            succeeded(&mut command);
            succeeded(self.command("/usr/lib/genpy/genmsg_py.py").args(["--initpy", "-o"]).arg(&folder));
        }
        let made = fs::write(out.join("__init__.py"), "");
        made.unwrap_or_else(|error| panic!("{}: {error}", out.display()));
        self.modules = Some(self.home.path().join("modules"));
    }

    /// A folder that goes with the master.
    pub fn folder(&self) -> &Path {
        self.home.path()
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command
            .env("ROS_MASTER_URI", self.uri())
            .env("ROS_IP", "127.0.0.1")
            .env("ROS_HOME", self.home.path())
            .env("ROS_PACKAGE_PATH", format!("{}:/usr/share", self.home.path().display()))
            .env("PATH", "/usr/bin:/bin")
            .env_remove("PYTHONPATH")
            // Their output is read as it comes.
            .env("PYTHONUNBUFFERED", "1");
        if let Some(modules) = &self.modules {
            command.env("PYTHONPATH", modules);
        }
        command
    }
}

impl Drop for RosMaster {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a tool said.
#[derive(Debug)]
pub struct Said {
    /// On standard output.
    pub out: String,
    /// On standard error.
    pub err: String,
    /// Its status.
    pub status: Option<i32>,
}

impl Said {
    fn of(output: Output) -> Self {
        let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
        Self { out: text(output.stdout), err: text(output.stderr), status: output.status.code() }
    }

    /// Its output, if it has done what it should.
    ///
    /// # Panics
    ///
    /// When it has not.
    pub fn ok(self) -> String {
        assert_eq!(self.status, Some(0), "{self:?}");
        self.out
    }
}

fn succeeded(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {output:?}");
}
