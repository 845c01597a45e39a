//! The server under measurement: the real program, in a process of its own.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    process::Stdio,
    time::{Duration, Instant},
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use tokio::{
    net::TcpStream,
    process::{Child, Command},
    time::{sleep, timeout},
};

use crate::{Result, delivery, scene::Scene};

/// How long a start, and an end, may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// `stellwerk serve`; killed when dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) grpc: SocketAddr,
    pub(crate) http: SocketAddr,
}

impl Server {
    /// Returns when it is ready.
    pub(crate) async fn start(scene: &Scene) -> Result<Self> {
        let [grpc, http, metrics] = free_addresses()?;
        let child = Command::new(env!("CARGO_BIN_EXE_stellwerk"))
            .arg("serve")
            .env("DATABASE_URL", &scene.service_url)
            .env("STELLWERK_ROOT_KEYS", &scene.root_keys)
            .env("STELLWERK_GRPC_ADDRESS", grpc.to_string())
            .env("STELLWERK_HTTP_ADDRESS", http.to_string())
            .env("STELLWERK_METRICS_ADDRESS", metrics.to_string())
            .env("STELLWERK_LOG", "warn")
            // The doubles.
            .env("STELLWERK_EGRESS_ALLOW", "127.0.0.1")
            // All senders have one address here.
            .env("STELLWERK_FLOOD_LIMIT", "0")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let mut server = Self { child, grpc, http };
        let patience = Instant::now() + PATIENCE;
        while !server.is_ready().await {
            if let Some(status) = server.child.try_wait()? {
                return Err(format!("the server ended: {status}").into());
            }
            if Instant::now() > patience {
                return Err("the server did not become ready".into());
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(server)
    }

    /// Resident memory now, and at its highest, in MB.
    pub(crate) fn memory_mb(&self) -> Result<(f64, f64)> {
        let pid = self.child.id().ok_or("the server has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let kib = |name: &str| -> Option<f64> {
            let line = status.lines().find_map(|line| line.strip_prefix(name))?;
            line.trim_start_matches(':').trim().strip_suffix(" kB")?.parse().ok()
        };
        let mb = |name| kib(name).map(|kib| kib * 1024.0 / 1e6).ok_or("no memory in the process's status");
        Ok((mb("VmRSS")?, mb("VmHWM")?))
    }

    /// Ends it as an operator would.
    pub(crate) async fn stop(mut self) -> Result<()> {
        let pid = self.child.id().ok_or("the server has ended")?;
        kill(Pid::from_raw(i32::try_from(pid)?), Signal::SIGTERM)?;
        let status = timeout(PATIENCE, self.child.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the server ended with {status}").into()) }
    }

    async fn is_ready(&self) -> bool {
        let Ok(stream) = TcpStream::connect(self.http).await else { return false };
        let answer =
            delivery::Connection::new(stream).ask(b"GET /readyz HTTP/1.1\r\nhost: bench\r\n\r\n").await;
        answer.is_ok_and(|answer| answer.status == 200)
    }
}

/// Addresses that the system just gave away, all held until all are known. The server gets them by name.
fn free_addresses() -> Result<[SocketAddr; 3]> {
    let listeners = [
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
        TcpListener::bind("127.0.0.1:0")?,
    ];
    let [grpc, http, metrics] = listeners.each_ref().map(TcpListener::local_addr);
    Ok([grpc?, http?, metrics?])
}
