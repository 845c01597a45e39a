//! The real program as a process of its own, over a cluster of its own: started, listened to, killed.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, ChildStderr, Command, Stdio},
    sync::{Arc, Mutex, PoisonError},
    thread,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use serde_json::Value;
use stellwerk::vault::Vault;
use tonic::transport::{Channel, Endpoint};

use super::{
    PATIENCE, caller::TestCaller, cluster::TestCluster, database::Session, tenant::TestTenant, wait_until,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_stellwerk");
const DATABASE: &str = "stellwerk";

/// Kills the server when the tests die before they could; their end closes its standard input.
const REAPER: &str = r#"read -r _; kill -9 "$1""#;

/// What outlives a server: the database and the root keys.
pub(crate) struct Installation {
    pub(crate) cluster: TestCluster,
    root_keys: String,
}

/// `stellwerk serve`, on free ports of loopback. Dropped, it is killed.
pub(crate) struct Server {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    child: Child,
    reaper: Child,
    log: Log,
}

/// What the process has said so far, on standard error.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl Installation {
    /// Nothing is risked: what PostgreSQL acknowledges is on the disk.
    pub(crate) async fn new() -> Self {
        Self::with_settings(&[]).await
    }

    pub(crate) async fn with_settings(settings: &[(&str, &str)]) -> Self {
        let cluster = TestCluster::start(settings).await;
        cluster.make_migrated(DATABASE).await;
        Self { cluster, root_keys: Vault::generate_root_key("test").expect("randomness") }
    }

    pub(crate) async fn owner(&self) -> Session {
        Session::connect(&self.cluster.owner_url(DATABASE)).await
    }

    pub(crate) async fn serve(&self, settings: &[&str]) -> Server {
        let free = ["--grpc-address", "--http-address", "--metrics-address"]
            .map(|name| format!("{name}=127.0.0.1:0"));
        let mut command = self.command();
        command.arg("serve").args(free).arg("--flood-limit=0").args(settings);
        Server::spawn(command).await
    }

    /// Runs a command that answers with JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let output = self.command().args(arguments).arg("--json").output().expect("the program runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).expect("JSON")
    }

    /// A new tenant whose callers call this server.
    pub(crate) async fn tenant(&self, server: &Server, name: &str) -> TestTenant {
        let made = self.ask(&["api-key", "create", "--operator", "--name=test"]);
        let operator = TestCaller::new(server.channel(), made["api_key"].as_str());
        TestTenant::make(&operator, server.http, server.channel(), name).await
    }

    fn command(&self) -> Command {
        let mut command = Command::new(PROGRAM);
        // Settings of whoever runs the tests must not leak in.
        command.env_clear().envs(env::var_os("PATH").map(|path| ("PATH", path)));
        // Where the coverage of the process is to be written, if it is measured.
        command.envs(env::var_os("LLVM_PROFILE_FILE").map(|path| ("LLVM_PROFILE_FILE", path)));
        command
            .env("DATABASE_URL", self.cluster.service_url(DATABASE))
            .env("STELLWERK_ROOT_KEYS", &self.root_keys);
        command.stdin(Stdio::null());
        command
    }
}

impl Server {
    /// Returns when it listens.
    async fn spawn(mut command: Command) -> Self {
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the program starts");
        let reaper = Command::new("sh")
            .args(["-c", REAPER, "sh", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("a shell");
        let log = Log::default();
        log.listen_to(child.stderr.take().expect("piped"));
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { grpc: nowhere, http: nowhere, child, reaper, log };
        wait_until("the server listens", PATIENCE, async || {
            let ended = server.child.try_wait().expect("our child");
            assert!(ended.is_none(), "the server ended at once: {}", server.log());
            server.log.address_of("metrics").is_some()
        })
        .await;
        [server.grpc, server.http] =
            ["gRPC", "HTTP"].map(|what| server.log.address_of(what).expect("told before"));
        server
    }

    pub(crate) fn channel(&self) -> Channel {
        Endpoint::try_from(format!("http://{}", self.grpc)).expect("an address").connect_lazy()
    }

    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// The most memory it ever held at once, by Linux's account.
    pub(crate) fn peak_memory_kib(&self) -> u64 {
        let status =
            fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// As a power failure would: no handler runs, nothing is finished.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Tells it to stop, waits until it has, and returns all it said.
    pub(crate) async fn stop(mut self) -> String {
        kill(Pid::from_raw(self.child.id() as i32), Signal::SIGTERM).expect("our child");
        wait_until("the server has stopped", PATIENCE, async || {
            self.child.try_wait().expect("our child").is_some()
        })
        .await;
        let status = self.child.try_wait().expect("our child").expect("ended");
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }

    fn end(&mut self) {
        // The reaper first: it must not outlive the pid it knows.
        let _ = self.reaper.kill();
        let _ = self.reaper.wait();
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

impl Log {
    /// The thread ends with the process.
    fn listen_to(&self, stderr: ChildStderr) {
        let log = self.clone();
        thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let mut text = log.0.lock().unwrap_or_else(PoisonError::into_inner);
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        });
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From the line that tells where it listens, in either form of a log.
    fn address_of(&self, what: &str) -> Option<SocketAddr> {
        let text = self.text();
        let line = text.lines().find(|line| line.contains(&format!("{what} listens")))?;
        let after = &line[line.find("127.0.0.1:")?..];
        let end = after.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(after.len());
        after[..end].parse().ok()
    }
}
