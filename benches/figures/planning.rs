//! A planning tool read for the first time, read again, and written to.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use serde_json::json;
use stellwerk::{
    domain::engine::reconcile,
    sandbox::asana::{Asana, Limits, Operation, Settings},
};
use tokio::time::sleep;

use crate::{
    Result,
    board::{Board, LOGGED_EVERY, PATIENCE, USERS},
    number,
    report::{Report, Required, Tally},
    rooms::Rooms,
    scene::Scene,
    server::Server,
};

/// Of the large case.
const PROJECTS: usize = 100;
/// The small case, by which growth is told.
const FEW_PROJECTS: usize = 10;
/// Looked at again after some changes.
const WATCHED_PROJECTS: usize = 50;
const WATCHED_TASKS: usize = 20;
const CHANGES: usize = 10;
/// Phases changed at the board, with a pause between them.
const MOVES: usize = 40;
const MOVE_PAUSE: Duration = Duration::from_millis(250);
/// After the last change.
const DEBOUNCE: Duration = Duration::from_secs(5);
const PUSH_PATIENCE: Duration = Duration::from_secs(30);
/// Records on a page.
const PAGE: usize = 100;

/// The server must not have run before: its highest memory is looked at.
pub(crate) async fn measure(scene: &Scene, report: &mut Report) -> Result<()> {
    let tasks = usize::try_from(number("STELLWERK_BENCH_TASKS", 1000)?.max(1))?;
    let rooms = Rooms::open(scene)?;
    let settings = Settings { limits: Limits::none(), ..Settings::default() };
    let asana = rooms.spawn(Asana::start(settings)).await??;

    let (few_memory, _) = first_reading(scene, &rooms, &asana, 1, FEW_PROJECTS, tasks, report).await?;
    let (memory, requests) = first_reading(scene, &rooms, &asana, 2, PROJECTS, tasks, report).await?;
    let told = format!("{memory:.0} MB, {few_memory:.0} MB after {FEW_PROJECTS} projects");
    report.require("  highest memory of the server, MB", told, memory, Required::AtMost(150.0));
    count_requests(report, &requests, tasks);

    watched(scene, &rooms, &asana, report).await
}

/// Returns the server's highest memory in MB and what it asked, by kind.
async fn first_reading(
    scene: &Scene,
    rooms: &Rooms,
    asana: &Asana,
    tenant: usize,
    projects: usize,
    tasks: usize,
    report: &mut Report,
) -> Result<(f64, HashMap<Operation, u64>)> {
    let board = Board::set(rooms, asana, tenant, projects, tasks).await?;
    scene.checkpoint().await?;
    let server = Server::start(scene).await?;
    asana.forget_requests();
    let begin = Instant::now();
    board.read(rooms).await?;
    let took = begin.elapsed().as_secs_f64();
    let (_, highest) = server.memory_mb()?;
    server.stop().await?;

    let stored =
        scene.count(&format!("SELECT count(*) FROM phase WHERE tenant_id = '{}'", board.tenant)).await?;
    if stored != i64::try_from(projects * tasks)? {
        return Err(format!("{stored} of {} tasks were stored", projects * tasks).into());
    }
    let rate = stored as f64 / took;
    let figure = format!("first reading, {projects} projects of {tasks} tasks, tasks per second");
    let told = format!("{rate:.0} /s, {took:.1} s");
    // The small case is there for its memory.
    match projects {
        PROJECTS => report.require(&figure, told, rate, Required::AtLeast(5000.0)),
        _ => report.tell(&figure, told),
    }
    Ok((highest, counted(asana)))
}

/// Requests of the large first reading, each kind against the fewest there can be.
fn count_requests(report: &mut Report, requests: &HashMap<Operation, u64>, tasks: usize) {
    let of = |operation| requests.get(&operation).copied().unwrap_or_default();
    let thousands = (PROJECTS * tasks) as f64 / 1000.0;
    let pages = of(Operation::ListTasks);
    let told = format!("{pages} pages, {} at least", PROJECTS * tasks.div_ceil(PAGE));
    let figure = "  requests for tasks per 1 000 of them";
    report.require(figure, told, pages as f64 / thousands, Required::AtMost(12.0));
    let logged = PROJECTS * tasks.div_ceil(LOGGED_EVERY);
    let entries = of(Operation::ListTaskTimeEntries);
    report.tell("  requests for time entries", format!("{entries}, {logged} at least (tasks with hours)"));
    let absences = of(Operation::ListAbsences);
    report.tell("  requests for absences", format!("{absences}, {USERS} at least (mapped users)"));
    let tokens = of(Operation::GetEvents);
    report.tell("  requests for event tokens", format!("{tokens}, {PROJECTS} at least"));
    let known =
        [Operation::ListTasks, Operation::ListTaskTimeEntries, Operation::ListAbsences, Operation::GetEvents];
    let mut rest: Vec<_> = requests.iter().filter(|(one, _)| !known.contains(one)).collect();
    rest.sort_by_key(|(one, _)| one.to_string());
    let rest: Vec<String> = rest.into_iter().map(|(one, count)| format!("{one} {count}")).collect();
    // The workspace's projects and users a hundred to a page, and each mapped field once.
    let floor = PROJECTS.div_ceil(PAGE) + USERS.div_ceil(PAGE);
    report.tell("  all other requests", format!("{}; {floor} at least", rest.join(", ")));
    let fixture = format!(
        "{PROJECTS} projects of {tasks} top-level tasks with dates, \
         hours and an area; one in {LOGGED_EVERY} has \
         logged hours; {USERS} users, all mapped, each absent once"
    );
    report.tell("  read from", fixture);
}

/// What a look after a few changes costs, and how soon a change at the board is written.
async fn watched(scene: &Scene, rooms: &Rooms, asana: &Asana, report: &mut Report) -> Result<()> {
    let board = Board::set(rooms, asana, 3, WATCHED_PROJECTS, WATCHED_TASKS).await?;
    let server = Server::start(scene).await?;
    board.read(rooms).await?;
    scene.until_idle(board.tenant, PATIENCE).await?;

    asana.forget_requests();
    let person = asana.person(board.user);
    for project in board.tasks.iter().step_by(WATCHED_PROJECTS / CHANGES) {
        person.change_task(project[0], json!({ "due_on": "2027-03-01" }))?;
    }
    let (domain, integration, tenant) = (board.domain.clone(), board.integration, board.tenant);
    let polled = rooms.spawn(async move {
        let mut tx = domain.store.tenant(tenant).await?;
        reconcile::queue(&mut tx, integration, "bench", Utc::now()).await?;
        tx.commit().await
    });
    polled.await??;
    scene.until_idle(board.tenant, PATIENCE).await?;
    let requests = counted(asana);
    let total: u64 = requests.values().sum();
    let mut parts: Vec<String> = requests.iter().map(|(one, count)| format!("{one} {count}")).collect();
    parts.sort();
    let figure = format!("requests after {CHANGES} changes in {WATCHED_PROJECTS} projects");
    let floor = WATCHED_PROJECTS + CHANGES;
    report.tell(
        &figure,
        format!("{total} ({}); {floor} at least: a look per project, a read per change", parts.join(", ")),
    );

    asana.forget_requests();
    let mut committed = HashMap::new();
    for number in 0..MOVES {
        let task = board.tasks[number % WATCHED_PROJECTS][1 + number / WATCHED_PROJECTS];
        committed.insert(format!("/tasks/{task}"), board.move_phase(scene, rooms, task, number).await?);
        sleep(MOVE_PAUSE).await;
    }
    match written(asana, &committed).await {
        Some(mut beyond) => {
            let figure = "board change to PUT beyond 5 s of debounce, p95 in ms";
            let told = format!("{} ({MOVES} changes)", beyond.percentiles());
            report.require(figure, told, beyond.within_ms(0.95), Required::AtMost(250.0));
        }
        None => report.tell("board change to PUT", "not every change was written".into()),
    }
    server.stop().await
}

/// Beyond the debounce, from each commit to the PUT; None when some never came.
async fn written(asana: &Asana, committed: &HashMap<String, DateTime<Utc>>) -> Option<Tally> {
    let patience = Instant::now() + PUSH_PATIENCE;
    while Instant::now() < patience {
        let requests = asana.requests();
        let puts = requests.iter().filter(|request| request.operation == Some(Operation::UpdateTask));
        let puts: HashMap<_, _> = puts.map(|request| (request.path.as_str(), request.time)).collect();
        let took = committed.iter().map(|(path, commit)| {
            let waited = (*puts.get(path.as_str())? - *commit).to_std().unwrap_or_default();
            Some(waited.saturating_sub(DEBOUNCE))
        });
        if let Some(took) = took.collect::<Option<Vec<Duration>>>() {
            return Some(Tally::of(took));
        }
        sleep(Duration::from_millis(100)).await;
    }
    None
}

fn counted(asana: &Asana) -> HashMap<Operation, u64> {
    asana.counts().into_iter().filter(|(_, count)| *count > 0).collect()
}
