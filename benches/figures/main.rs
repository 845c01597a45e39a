//! The figures: one run, one cluster with fsync on, one table.
//! A requirement that is missed is printed, not an error.
//!
//! `STELLWERK_BENCH_SECONDS` (default 10) is the length of a measurement, `STELLWERK_BENCH_ROWS` (default
//! 1 000 000) the number of rows of the large cases, `STELLWERK_BENCH_TASKS` (default 1 000) the number of
//! tasks of a project; smaller ones make a quick look. `STELLWERK_BENCH_PARTS` names the parts to take, as in
//! `edges,calcom,planning,outbox`, which is all.

mod board;
mod calcom;
mod delivery;
mod echo;
mod grpc;
mod mix;
mod outbox;
mod pgbench;
mod planning;
mod report;
mod rooms;
mod rpcs;
mod scene;
mod server;

use std::{
    env,
    fs::File,
    io::{Seek, Write},
    process::ExitCode,
    time::{Duration, Instant},
};

use stellwerk::{
    cluster::Cluster,
    telemetry::{self, LogFormat},
};
use tokio::signal::unix::{SignalKind, signal};

use delivery::Senders;
use pgbench::Script;
use report::{Report, Required, Tally, Window, median};
use scene::{Folder, Scene};
use server::Server;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Rows of the small cases.
const FEW: usize = 10_000;
/// Server and pgbench take turns, so that a slow minute of the machine hits both.
const ROUNDS: u32 = 3;
/// Between two calls of a person at a screen.
const PAUSE: Duration = Duration::from_millis(500);

/// How long and how much.
struct Extent {
    /// Empty: all.
    parts: String,
    warm_up: Duration,
    measured: Duration,
    rows: usize,
}

fn main() -> ExitCode {
    if env::var_os(echo::ROLE).is_some() {
        return echo::serve();
    }
    // What goes wrong in the rooms says so there alone.
    if let Err(error) = telemetry::init(LogFormat::Text, "error") {
        eprintln!("no log: {error}");
    }
    // One thread: the load shares the machine with what it measures, as pgbench does.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run())) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the figures could not be taken: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whatever comes of it, and whoever interrupts it: the cluster is stopped and its folder removed.
async fn run() -> Result<()> {
    let extent = Extent::from_environment()?;
    let mut interrupted = signal(SignalKind::interrupt())?;
    let mut terminated = signal(SignalKind::terminate())?;
    let folder = Folder::new();
    let cluster = scene::start_cluster(&folder).await?;
    let mut report = Report::default();
    let measured = tokio::select! {
        measured = measure(&cluster, &folder, &extent, &mut report) => measured,
        _ = interrupted.recv() => Err("interrupted".into()),
        _ = terminated.recv() => Err("interrupted".into()),
    };
    report.print();
    cluster.stop().await?;
    measured
}

async fn measure(cluster: &Cluster, folder: &Folder, extent: &Extent, report: &mut Report) -> Result<()> {
    let mut scene = Scene::set(cluster).await?;
    describe(&scene, folder, extent).await?;
    if extent.wants("edges") {
        edges(&mut scene, extent, report).await?;
    }
    if extent.wants("calcom") {
        let server = Server::start(&scene).await?;
        calcom::measure(&scene, extent, report).await?;
        server.stop().await?;
    }
    if extent.wants("planning") {
        planning::measure(&scene, report).await?;
    }
    if extent.wants("outbox") {
        outbox::measure(&scene, extent, report).await?;
    }
    Ok(())
}

/// What callers and providers see of a server.
async fn edges(scene: &mut Scene, extent: &Extent, report: &mut Report) -> Result<()> {
    scene.store_events(FEW).await?;
    scene.book(FEW).await?;
    let server = Server::start(scene).await?;
    let mut senders = Senders::new()?;
    let few = ingest(scene, &server, &mut senders, extent, report, FEW).await?;
    get(scene, &server, extent, report).await?;
    let few_listed = list(scene, &server, extent, FEW, report).await?;

    eprintln!("storing {} rows", extent.rows);
    let filling = Instant::now();
    scene.store_events(extent.rows).await?;
    scene.book(extent.rows).await?;
    let (_, size) = scene.describe().await?;
    eprintln!("  took {:.0} s; the database has {size}", filling.elapsed().as_secs_f64());
    let many = ingest(scene, &server, &mut senders, extent, report, extent.rows).await?;
    let figure = format!("  times slower than with {FEW}");
    report.compare(
        &figure,
        format!("{many:.0} /s"),
        format!("{few:.0} /s"),
        few / many,
        Required::AtMost(1.3),
    );
    let many_listed = list(scene, &server, extent, extent.rows, report).await?;
    let figure = format!("  times its time with {FEW}");
    let (measured, beside) = (format!("{many_listed:.2} ms"), format!("{few_listed:.2} ms"));
    report.compare(&figure, measured, beside, many_listed / few_listed, Required::AtMost(1.5));

    crowd(scene, &server, extent, report).await?;
    let (resident, highest) = server.memory_mb()?;
    let told = format!("{resident:.0} MB, at its highest {highest:.0} MB");
    report.require("resident memory of the server, MB", told, resident, Required::AtMost(120.0));
    server.stop().await
}

/// Webhook deliveries against pgbench; returns the server's rate.
async fn ingest(
    scene: &Scene,
    server: &Server,
    senders: &mut Senders,
    extent: &Extent,
    report: &mut Report,
    stored: usize,
) -> Result<f64> {
    let (mut rates, mut baseline, mut all) = (Vec::new(), Vec::new(), Tally::default());
    for _ in 0..ROUNDS {
        // The server second: its events are the newest ones, and their bodies can be opened.
        baseline.push(bench(scene, pgbench::INGEST, extent).await?);
        scene.checkpoint().await?;
        let sent = senders.send(server.http, extent.window()).await?;
        rates.push(sent.rate());
        all.append(sent);
    }
    let (rate, baseline) = (median(rates), median(baseline));
    let figure = format!("webhook ingest, {stored} events stored");
    report.compare(
        &figure,
        format!("{rate:.0} /s"),
        format!("pgbench {baseline:.0} /s"),
        rate / baseline,
        Required::AtLeast(0.7),
    );
    let told = format!("{} ({} B bodies)", all.percentiles(), senders.body_bytes());
    report.tell("  latency of a delivery", told);
    Ok(rate)
}

/// GetAppointment against pgbench.
async fn get(scene: &Scene, server: &Server, extent: &Extent, report: &mut Report) -> Result<()> {
    let echo = echo::Echo::start().await?;
    let (mut rates, mut baseline, mut all) = (Vec::new(), Vec::new(), Tally::default());
    let (mut together, mut select_alone, mut echoes) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        baseline.push(bench(scene, pgbench::GET_APPOINTMENT, extent).await?);
        let got = rpcs::get_appointments(server.grpc, extent.window()).await?;
        rates.push(got.rate());
        all.append(got);
        together.push(bench(scene, pgbench::TOGETHER, extent).await?);
        select_alone.push(bench(scene, pgbench::SELECT_ALONE, extent).await?);
        echoes.push(rpcs::get_appointments(echo.address, extent.window()).await?.rate());
    }
    let (rate, baseline) = (median(rates), median(baseline));
    let (told, beside) = (format!("{rate:.0} /s"), format!("pgbench {baseline:.0} /s"));
    report.compare(
        "GetAppointment, 32 callers",
        told.clone(),
        beside,
        rate / baseline,
        Required::AtLeast(0.6),
    );
    let bytes = [rpcs::appointment_bytes(server.grpc).await?, rpcs::appointment_bytes(echo.address).await?];
    report.tell("  latency of a call", format!("{} ({} B answers)", all.percentiles(), bytes[0]));
    let (together, alone, echo) = (median(together), median(select_alone), median(echoes));
    for (beside, baseline) in
        [("statements in the server's flights", together), ("first select alone", alone)]
    {
        let figure = format!("  beside its {beside}");
        report.set_beside(&figure, told.clone(), format!("pgbench {baseline:.0} /s"), rate / baseline);
    }
    let beside = format!("echo {echo:.0} /s ({} B)", bytes[1]);
    report.set_beside("  beside a bare tonic echo", told, beside, rate / echo);
    Ok(())
}

/// ListAppointments; returns the median in milliseconds.
async fn list(
    scene: &Scene,
    server: &Server,
    extent: &Extent,
    rows: usize,
    report: &mut Report,
) -> Result<f64> {
    scene.checkpoint().await?;
    let mut listed = rpcs::list_appointments(server.grpc, scene.calendar_hours(), extent.window()).await?;
    let told = format!("{} ({} calls, one at a time)", listed.percentiles(), listed.count());
    report.tell(&format!("ListAppointments, page of {}, {rows} rows", rpcs::PAGE), told);
    Ok(listed.within_ms(0.5))
}

/// A thousand callers, first as people call, then as fast as they are answered.
async fn crowd(scene: &Scene, server: &Server, extent: &Extent, report: &mut Report) -> Result<()> {
    let loads = [("half a second between calls", PAUSE), ("no pause between calls", Duration::ZERO)];
    for (load, pause) in loads {
        scene.checkpoint().await?;
        let mut outcome = mix::run(server.grpc, extent.window(), pause).await?;
        let p95 = outcome.tally.within_ms(0.95);
        let told = format!("{:.0} /s, {}", outcome.tally.rate(), outcome.tally.percentiles());
        let figure = format!("{} callers, {load}, p95 in ms", mix::CALLERS);
        report.require(&figure, told, p95, Required::AtMost(200.0));
        let errors: usize = outcome.errors.values().sum();
        for (error, count) in &outcome.errors {
            eprintln!("  {count} times {error}");
        }
        report.require("  errors", errors.to_string(), errors as f64, Required::AtMost(0.0));
    }
    Ok(())
}

async fn bench(scene: &Scene, script: Script, extent: &Extent) -> Result<f64> {
    scene.checkpoint().await?;
    pgbench::run(script, &scene.service_url, extent.warm_up, extent.measured).await
}

async fn describe(scene: &Scene, folder: &Folder, extent: &Extent) -> Result<()> {
    let (version, size) = scene.describe().await?;
    let processors = std::thread::available_parallelism()?;
    let sync_us = sync_time(folder)?.as_micros();
    println!(
        "PostgreSQL {version}, fsync on (8 kB written and synced in {sync_us} us), \
         {size} at first; {processors} processors"
    );
    println!(
        "{} tenants with one endpoint each; {} senders, {} callers over {} connections; {ROUNDS} rounds of \
         {} s, medians",
        scene::TENANTS,
        delivery::SENDERS,
        rpcs::CALLERS,
        rpcs::CONNECTIONS,
        extent.measured.as_secs()
    );
    for script in [pgbench::INGEST, pgbench::GET_APPOINTMENT, pgbench::TOGETHER, pgbench::SELECT_ALONE] {
        println!("{}", pgbench::command_line(script, extent.warm_up + extent.measured));
    }
    Ok(())
}

/// How long the disk takes for a page: next to nothing where a folder lives in memory,
/// and then the figures mean little.
fn sync_time(folder: &Folder) -> Result<Duration> {
    let mut file = File::create(folder.path.join("sync"))?;
    let begin = Instant::now();
    for _ in 0..200 {
        file.rewind()?;
        file.write_all(&[1; 8192])?;
        file.sync_data()?;
    }
    Ok(begin.elapsed() / 200)
}

impl Extent {
    fn from_environment() -> Result<Self> {
        let seconds = number("STELLWERK_BENCH_SECONDS", 10)?.max(1);
        let rows = number("STELLWERK_BENCH_ROWS", 1_000_000)?.max(2 * FEW as u64);
        let measured = Duration::from_secs(seconds);
        Ok(Self {
            parts: env::var("STELLWERK_BENCH_PARTS").unwrap_or_default(),
            warm_up: Duration::from_secs(if seconds < 5 { 1 } else { 3 }),
            measured,
            rows: usize::try_from(rows)?,
        })
    }

    fn wants(&self, part: &str) -> bool {
        self.parts.is_empty() || self.parts.split(',').any(|wanted| wanted.trim() == part)
    }

    fn window(&self) -> Window {
        Window::starting_now(self.warm_up, self.measured)
    }
}

fn number(name: &str, otherwise: u64) -> Result<u64> {
    match env::var(name) {
        Ok(text) => text.parse().map_err(|_| format!("{name} must be a whole number, not {text}").into()),
        Err(_) => Ok(otherwise),
    }
}
