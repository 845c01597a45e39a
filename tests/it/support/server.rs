//! The real program as a process of its own, over a cluster of its own: started, listened to, killed.

use std::{fs, net::SocketAddr, process::Command};

use nix::sys::signal::Signal;
use serde_json::Value;
use stellwerk::vault::Vault;
use tonic::transport::{Channel, Endpoint};

use super::{
    PATIENCE,
    caller::TestCaller,
    cluster::TestCluster,
    database::Session,
    process::{Log, Process, program},
    tenant::TestTenant,
    wait_until,
};

const DATABASE: &str = "stellwerk";

/// What outlives a server: the database and the root keys.
pub(crate) struct Installation {
    pub(crate) cluster: TestCluster,
    root_keys: String,
}

/// `stellwerk serve`, on free ports of loopback. Dropped, it is killed.
pub(crate) struct Server {
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
    process: Process,
    log: Log,
}

/// A command that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) exit_code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

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

    /// Nobody has made anything in its cluster yet.
    pub(crate) async fn bare() -> Self {
        let root_keys = Vault::generate_root_key("test").expect("randomness");
        Self { cluster: TestCluster::start(&[]).await, root_keys }
    }

    pub(crate) async fn owner(&self) -> Session {
        Session::connect(&self.owner_url()).await
    }

    /// Above every policy, as migrations connect.
    pub(crate) fn owner_url(&self) -> String {
        self.cluster.owner_url(DATABASE)
    }

    pub(crate) async fn serve(&self, settings: &[&str]) -> Server {
        self.serve_with(settings, &[]).await
    }

    /// The same with variables that take the place of those it would have.
    pub(crate) async fn serve_with(&self, settings: &[&str], variables: &[(&str, &str)]) -> Server {
        let free = ["--grpc-address", "--http-address", "--metrics-address"]
            .map(|name| format!("{name}=127.0.0.1:0"));
        let mut command = self.command();
        command.arg("serve").args(free).arg("--flood-limit=0").args(settings).envs(variables.iter().copied());
        Server::spawn(command).await
    }

    /// Runs a command that answers with JSON.
    pub(crate) fn ask(&self, arguments: &[&str]) -> Value {
        let ended = self.run(&[arguments, &["--json"]].concat(), &[]);
        assert_eq!(ended.exit_code, Some(0), "{arguments:?}: {}", ended.stderr);
        serde_json::from_str(&ended.stdout).expect("JSON")
    }

    /// Runs a command to its end, with variables that take the place of those it would have.
    pub(crate) fn run(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
        let mut command = self.command();
        command.args(arguments).envs(variables.iter().copied());
        let output = command.output().expect("the program runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ended { exit_code: output.status.code(), stdout: text(&output.stdout), stderr: text(&output.stderr) }
    }

    /// A new tenant whose callers call this server.
    pub(crate) async fn tenant(&self, server: &Server, name: &str) -> TestTenant {
        let made = self.ask(&["api-key", "create", "--operator", "--name=test"]);
        let operator = TestCaller::new(server.channel(), made["api_key"].as_str());
        TestTenant::make(&operator, server.http, server.channel(), name).await
    }

    fn command(&self) -> Command {
        let mut command = program();
        command
            .env("DATABASE_URL", self.cluster.service_url(DATABASE))
            .env("STELLWERK_ROOT_KEYS", &self.root_keys);
        command
    }
}

impl Server {
    /// Returns when it listens.
    async fn spawn(command: Command) -> Self {
        let (process, _, log) = Process::spawn(command);
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut server = Self { grpc: nowhere, http: nowhere, process, log };
        wait_until("the server listens", PATIENCE, async || {
            let ended = server.process.ended();
            assert!(ended.is_none(), "the server ended at once: {}", server.log());
            address_of("metrics", &server.log()).is_some()
        })
        .await;
        [server.grpc, server.http] =
            ["gRPC", "HTTP"].map(|what| address_of(what, &server.log()).expect("told before"));
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
            fs::read_to_string(format!("/proc/{}/status", self.process.id())).expect("a running process");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a peak");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// As a power failure would: no handler runs, nothing is finished.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }

    /// Tells it to stop, waits until it has, and returns all it said.
    pub(crate) async fn stop(mut self) -> String {
        self.process.signal(Signal::SIGTERM);
        wait_until("the server has stopped", PATIENCE, async || self.process.ended().is_some()).await;
        let status = self.process.ended().expect("ended");
        assert!(status.success(), "{status}: {}", self.log());
        self.log()
    }
}

/// From the line that tells where it listens, in either form of a log.
fn address_of(what: &str, log: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains(&format!("{what} listens")))?;
    let after = &line[line.find("127.0.0.1:")?..];
    let end = after.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ':').unwrap_or(after.len());
    after[..end].parse().ok()
}
