//! A planning tool read for the first time, read again, and written to.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use serde_json::{Value, json};
use stellwerk::{
    caller::Caller,
    domain::{Domain, engine::reconcile, idempotency::Key, planning::update, sync_log},
    ids::{CredentialId, ExternalUserId, IntegrationId, PhaseId, PractitionerId, TenantId},
    sandbox::asana::{Asana, Gid, Kind as FieldKind, Limits, Operation, Settings},
    store::{
        self,
        credential::Credential,
        integration::Integration,
        planning::{
            settings::{AreaMapping, PlanningSettings},
            user::ExternalUser,
        },
        sync_log::SyncLog,
    },
    words::{Area, Origin, Plan, Role, SyncState},
};
use tokio::time::sleep;

use crate::{
    Result, number,
    report::{Report, Required, Tally},
    rooms::Rooms,
    scene::{Kind, PRACTITIONERS, Scene, id},
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
/// One task in so many has hours logged.
const LOGGED_EVERY: usize = 50;
const USERS: usize = 20;
/// Phases changed at the board, with a pause between them.
const MOVES: usize = 40;
const MOVE_PAUSE: Duration = Duration::from_millis(250);
/// After the last change.
const DEBOUNCE: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(600);
const PUSH_PATIENCE: Duration = Duration::from_secs(30);
/// Records on a page.
const PAGE: usize = 100;

/// A workspace at the double and the tenant that is connected with it.
struct Board {
    domain: Domain,
    asana: Asana,
    tenant: TenantId,
    integration: IntegrationId,
    tasks: Vec<Vec<Gid>>,
    user: Gid,
}

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
    report.require(&figure, format!("{rate:.0} /s, {took:.1} s"), rate, Required::AtLeast(5000.0));
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

impl Board {
    /// Projects with as many tasks each, all with dates, hours and an area, some with logged time.
    async fn set(rooms: &Rooms, asana: &Asana, number: usize, projects: usize, tasks: usize) -> Result<Self> {
        let workspace = asana.add_workspace(&format!("Planungsbüro {number}"));
        let users: Vec<Gid> = (0..USERS)
            .map(|user| {
                asana.add_user(
                    workspace,
                    &format!("Mara Vogt {user}"),
                    Some(&format!("mara{number}.{user}@example.com")),
                )
            })
            .collect();
        let area = asana.add_enum_field(workspace, "Bereich", &["Produktion", "Montage"]);
        let hours = asana.add_number_field(workspace, "Soll-Stunden", 2);
        let FieldKind::Enum(options) = &area.kind else { return Err("an enum without options".into()) };
        let options: Vec<AreaMapping> = options
            .iter()
            .zip([Area::Production, Area::Assembly])
            .map(|(option, area)| AreaMapping {
                integration_id: IntegrationId::new(),
                option_id: option.gid.to_string(),
                option_name: option.name.clone(),
                color: None,
                is_enabled: true,
                area: Some(area),
            })
            .collect();
        for user in &users {
            asana.person(*user).take_leave(workspace, first_day(), first_day() + TimeDelta::days(2))?;
        }
        let mut all = Vec::new();
        for project in 0..projects {
            let project = asana.add_project(workspace, &format!("Neubau {project}"), &[area.gid, hours.gid]);
            let mut own = Vec::new();
            for task in 0..tasks {
                let gid = asana.add_task(project, task_data(task, &area.gid, &hours.gid, &options))?;
                if task.is_multiple_of(LOGGED_EVERY) {
                    asana.person(users[task % USERS]).log_time(gid, 90, first_day())?;
                }
                own.push(gid);
            }
            all.push(own);
        }
        let token = asana.add_token(users[0]);
        let (domain, url) = (rooms.domain.clone(), asana.api_url());
        let (tenant, integration) = (TenantId(id(Kind::Tenant, number, 0)), IntegrationId::new());
        let (account, mapped) = (users[0].to_string(), users.clone());
        let connecting = async move {
            let (now, credential) = (Utc::now(), CredentialId::new());
            let key = domain.tenant_key(tenant).await?;
            let mut tx = domain.store.tenant(tenant).await?;
            let row = Integration {
                instance_url: Some(url),
                account_id: Some(account),
                ..Integration::new(integration, "asana", "Planung", now)
            };
            store::integration::insert(&mut tx, &row).await?;
            let sealed = key.seal(store::credential::place(credential), token.as_bytes())?;
            let row = Credential::api_key(credential, integration, sealed, "bench", now);
            store::credential::insert(&mut tx, &row).await?;
            store::integration_flow::insert(&mut tx, integration, 1_000_000.0, 100_000.0).await?;
            let settings = PlanningSettings {
                workspace_id: Some(workspace.to_string()),
                workspace_name: Some("Planungsbüro".into()),
                area_field_id: Some(area.gid.to_string()),
                area_field_name: Some("Bereich".into()),
                hours_field_id: Some(hours.gid.to_string()),
                hours_field_name: Some("Soll-Stunden".into()),
                hours_precision: Some(2),
                plan: Plan::Paid,
                workspace_time: Some(now),
                mapping_time: Some(now),
                ..PlanningSettings::new(integration, now)
            };
            store::planning::settings::save(&mut tx, &settings).await?;
            let options: Vec<AreaMapping> = options
                .into_iter()
                .map(|option| AreaMapping { integration_id: integration, ..option })
                .collect();
            store::planning::settings::replace_area_mappings(&mut tx, integration, &options).await?;
            for (nth, user) in mapped.iter().enumerate() {
                let practitioner = id(Kind::Practitioner, number, nth % PRACTITIONERS);
                let row = ExternalUser {
                    id: ExternalUserId::new(),
                    integration_id: integration,
                    external_id: user.to_string(),
                    name: String::new(),
                    email: None,
                    email_folded: None,
                    practitioner_id: Some(PractitionerId(practitioner)),
                    mapped_by: Some("api_key|desk".into()),
                    map_time: Some(now),
                    absences_time: None,
                    missing_time: None,
                    update_time: now,
                };
                store::planning::user::insert(&mut tx, &row).await?;
            }
            tx.commit().await?;
            Result::Ok(domain)
        };
        let domain = rooms.spawn(connecting).await??;
        Ok(Self { domain, asana: asana.clone(), tenant, integration, tasks: all, user: users[0] })
    }

    fn caller(&self) -> Caller {
        Caller {
            role: Role::Admin,
            subject: "api_key|desk".into(),
            origin: Origin::Admin,
            ..Caller::system(self.tenant)
        }
    }

    /// A complete reading to its end.
    async fn read(&self, rooms: &Rooms) -> Result<()> {
        let (domain, caller, integration) = (self.domain.clone(), self.caller(), self.integration);
        let reading = rooms.spawn(async move {
            let run = sync_log::start(&domain, &caller, &no_key(), integration, Utc::now()).await?;
            let patience = Instant::now() + PATIENCE;
            loop {
                let run: SyncLog = sync_log::get(&domain, &caller, run.id).await?;
                match run.state {
                    SyncState::Succeeded => return Result::Ok(()),
                    _ if run.end_time.is_some() => {
                        return Err(format!(
                            "the reading ended {}: {:?} {}",
                            run.state, run.reason, run.errors
                        )
                        .into());
                    }
                    _ if Instant::now() > patience => return Err("the reading did not end".into()),
                    _ => sleep(Duration::from_millis(20)).await,
                }
            }
        });
        reading.await??;
        if self.asana.requests().is_empty() { Err("nothing was asked".into()) } else { Ok(()) }
    }

    /// Gives a phase another due date; returns when that was committed.
    async fn move_phase(
        &self,
        scene: &Scene,
        rooms: &Rooms,
        task: Gid,
        by_days: usize,
    ) -> Result<DateTime<Utc>> {
        let sql = format!(
            "SELECT id::text FROM phase WHERE tenant_id = '{}' AND external_id = '{task}'",
            self.tenant
        );
        let phase = PhaseId(scene.text(&sql).await?.parse()?);
        let due = first_day() + TimeDelta::days(100 + i64::try_from(by_days)?);
        let changes = update::Changes { due_date: Some(Some(due)), ..update::Changes::default() };
        let (domain, caller) = (self.domain.clone(), self.caller());
        let moving = rooms.spawn(async move {
            update::update(&domain, &caller, &no_key(), phase, &changes, Utc::now()).await
        });
        moving.await??;
        let row = format!("phase_change WHERE phase_id = '{phase}' AND origin = 'admin'");
        scene.commit_time(&row).await
    }
}

fn task_data(task: usize, area: &Gid, hours: &Gid, options: &[AreaMapping]) -> Value {
    let start = first_day() + TimeDelta::days((task % 90) as i64);
    let mut fields = serde_json::Map::new();
    fields.insert(area.to_string(), json!(options[task % options.len()].option_id));
    fields.insert(hours.to_string(), json!((task % 80) as f64 + 0.5));
    json!({
        "name": format!("Phase {task}"), "start_on": start, "due_on": start + TimeDelta::days(4),
        "custom_fields": fields,
    })
}

fn first_day() -> NaiveDate {
    NaiveDate::from_ymd_opt(2027, 1, 4).unwrap_or_default()
}

fn no_key() -> Key {
    Key::new("Bench", "", b"")
}
