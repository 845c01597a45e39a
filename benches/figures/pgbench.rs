//! The baseline: pgbench with the statements of the server, as the server's role.

use std::{env, path::PathBuf, process::Stdio, time::Duration};

use chrono::Utc;
use tokio::process::Command;

use crate::Result;

pub(crate) const CLIENTS: usize = 32;
const THREADS: usize = 2;
/// What `store::connect` sets up in each of its connections.
const SESSION: &str = "-c role=stellwerk_app -c standard_conforming_strings=on -c timezone=UTC \
    -c statement_timeout=30s -c lock_timeout=10s -c idle_in_transaction_session_timeout=60s";

/// A committed script.
#[derive(Clone, Copy)]
pub(crate) struct Script {
    pub(crate) name: &'static str,
    path: &'static str,
}

pub(crate) const INGEST: Script =
    Script { name: "ingest.sql", path: concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pgbench/ingest.sql") };
pub(crate) const GET_APPOINTMENT: Script = Script {
    name: "get_appointment.sql",
    path: concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pgbench/get_appointment.sql"),
};
pub(crate) const TOGETHER: Script = Script {
    name: "get_appointment_together.sql",
    path: concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pgbench/get_appointment_together.sql"),
};
pub(crate) const SELECT_ALONE: Script = Script {
    name: "select_alone.sql",
    path: concat!(env!("CARGO_MANIFEST_DIR"), "/benches/pgbench/select_alone.sql"),
};

/// The command line, for people.
pub(crate) fn command_line(script: Script, measured: Duration) -> String {
    format!(
        "PGOPTIONS='{SESSION}' pgbench -n -M prepared -c {CLIENTS} -j {THREADS} -P 1 -T {} \
         -f benches/pgbench/{} -D …",
        measured.as_secs(),
        script.name
    )
}

/// Transactions per second after the warm-up.
pub(crate) async fn run(script: Script, url: &str, warm_up: Duration, measured: Duration) -> Result<f64> {
    let seconds = (warm_up + measured).as_secs();
    let mut command = Command::new(program()?);
    command
        .args(["-n", "-M", "prepared", "-P", "1"])
        .args(["-c", &CLIENTS.to_string(), "-j", &THREADS.to_string(), "-T", &seconds.to_string()])
        .args(["-f", script.path, "-D", "n=0", "-D", &format!("begin_ms={}", Utc::now().timestamp_millis())])
        .arg(url)
        .env("PGOPTIONS", SESSION)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let output = command.output().await?;
    let told = String::from_utf8_lossy(&output.stderr);
    if !output.status.success() || told.contains("aborted") {
        return Err(format!("pgbench with {} failed: {told}", script.name).into());
    }
    let rates = told.lines().filter_map(progress).filter(|(at_s, _)| *at_s > warm_up.as_secs_f64() + 0.5);
    let (count, sum) = rates.fold((0, 0.0), |(count, sum), (_, rate)| (count + 1, sum + rate));
    if count == 0 {
        Err(format!("pgbench told no progress: {told}").into())
    } else {
        Ok(sum / f64::from(count))
    }
}

/// From `progress: 3.0 s, 1234.5 tps, lat 25.9 ms stddev 3.1, 0 failed`: the second and the rate.
fn progress(line: &str) -> Option<(f64, f64)> {
    let (at_s, rest) = line.strip_prefix("progress: ")?.split_once(" s, ")?;
    let (rate, _) = rest.split_once(" tps")?;
    Some((at_s.parse().ok()?, rate.parse().ok()?))
}

/// Beside the cluster's own programs, where they really are: some installations link to a few of them only.
fn program() -> Result<PathBuf> {
    let named = env::var_os("STELLWERK_PG_BIN").map(PathBuf::from);
    let found = stellwerk::cluster::binaries::find(named.as_deref(), None, None)?;
    let program = found.bin_dir.join("postgres").canonicalize()?.with_file_name("pgbench");
    if program.is_file() {
        Ok(program)
    } else {
        Err(format!("there is no {}; Debian's postgresql package has it", program.display()).into())
    }
}
