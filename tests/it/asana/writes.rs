//! What is changed here is written to Asana: one request for a task, after a look at it.

mod conflicts;
mod convergence;
mod crashes;
mod overtaken;
mod refusals;

use chrono::{NaiveDate, Utc};
use rust_decimal::Decimal;
use serde_json::{Value, json};
use stellwerk::{
    domain::planning::update::{self, Changes},
    ids::PhaseId,
    sandbox::asana::{Asana, Gid, Held, Moment, Operation},
    words::Area,
};
use uuid::Uuid;

use crate::support::{
    PATIENCE,
    app::TestApp,
    asana::{self, Planner, day},
    calcom::no_key,
    wait_until,
};

/// A planner with one task that has been read: 2 to 13 November, 40 hours of assembly.
pub(super) struct Scene {
    pub(super) app: TestApp,
    pub(super) planner: Planner,
    pub(super) task: Gid,
}

impl Scene {
    pub(super) async fn new() -> Self {
        Self::over(&asana::double().await, Self::montage).await
    }

    /// The same with a task of another kind.
    pub(super) async fn over(double: &Asana, task: impl FnOnce(&Planner) -> Gid) -> Self {
        let app = asana::app().start().await;
        let tenant = app.tenant("Planungsbüro am Wall").await;
        let planner = Planner::new(&app, &tenant, double).await;
        let task = task(&planner);
        planner.sync().await;
        planner.idle().await;
        planner.asana.forget_requests();
        Self { app, planner, task }
    }

    pub(super) fn montage(planner: &Planner) -> Gid {
        let (area, hours) = (planner.area.gid.to_string(), planner.hours.gid.to_string());
        let fields = json!({ area: planner.option("Montage"), hours: 40 });
        let data = json!({ "start_on": "2026-11-02", "due_on": "2026-11-13", "custom_fields": fields });
        planner.task_in(planner.project, "Montage", data)
    }

    pub(super) async fn phase(&self) -> PhaseId {
        let of = format!("phase AND external_id = '{}'", self.task);
        PhaseId(self.planner.value("id", &of).await.parse::<Uuid>().unwrap())
    }

    /// Somebody at a desk changes the phase.
    pub(super) async fn change(&self, changes: Changes) {
        let (domain, admin) = (&self.planner.domain, self.planner.admin());
        let (phase, now) = (self.phase().await, Utc::now());
        update::update(domain, &admin, &no_key(), phase, &changes, now).await.unwrap();
    }

    /// As `synced`, or `review FIELD_NOT_ON_TASK`.
    pub(super) async fn standing(&self) -> String {
        let of = format!("phase AND external_id = '{}'", self.task);
        self.planner.value("concat_ws(' ', provider_sync, provider_sync_reason)", &of).await
    }

    /// Nobody waits for the pause after the last change; waits until this is how the phase stands.
    pub(super) async fn until(&self, standing: &str) {
        wait_until(standing, PATIENCE, async || {
            self.app.hurry().await;
            self.standing().await == standing
        })
        .await;
    }

    /// The same until the outbox is empty.
    pub(super) async fn until_synced(&self) {
        self.until("synced").await;
        let pushes = "outbox AND kind = 'phase_push'";
        wait_until("every write has ended", PATIENCE, async || {
            self.app.hurry().await;
            self.planner.value("count(*)", pushes).await == "0"
        })
        .await;
    }

    /// The phase as it stands here: `start due hours area`.
    pub(super) async fn here(&self) -> String {
        self.planner.plan(self.task).await
    }

    /// The task as it stands there, in the same words.
    pub(super) fn there(&self) -> String {
        let task = self.planner.asana.task(self.task).unwrap();
        let on = |moment: Option<Moment>| match moment {
            Some(Moment::On(day)) => day.to_string(),
            Some(Moment::At(time)) => time.to_rfc3339(),
            None => "-".into(),
        };
        let held =
            |field: Gid| task.values.iter().find(|(gid, _)| *gid == field).map(|(_, held)| held.clone());
        let hours = match held(self.planner.hours.gid) {
            Some(Held::Number(number)) => serde_json::to_string(&number).unwrap(),
            _ => "-".into(),
        };
        let area = match held(self.planner.area.gid) {
            Some(Held::Option(option)) if option.to_string() == self.planner.option("Montage") => "assembly",
            Some(Held::Option(option)) if option.to_string() == self.planner.option("Produktion") => {
                "production"
            }
            Some(_) => "other",
            None => "-",
        };
        format!("{} {} {hours} {area}", on(task.start), on(task.due))
    }

    /// The bodies of the writes that reached Asana, oldest first.
    pub(super) fn written(&self) -> Vec<Value> {
        let requests = self.planner.asana.requests().into_iter();
        let writes = requests.filter(|request| request.operation == Some(Operation::UpdateTask));
        writes.map(|request| request.body["data"].clone()).collect()
    }

    pub(super) async fn intents(&self) -> Vec<String> {
        self.planner.lines("state", "phase_intent ORDER BY id").await
    }

    pub(super) async fn conflicts(&self) -> Vec<String> {
        let columns = "concat_ws(' ', field, our_value, their_value, winner)";
        self.planner.lines(columns, "phase_conflict ORDER BY id").await
    }
}

pub(super) fn due(text: &str) -> Changes {
    Changes { due_date: Some(Some(day(text))), ..Changes::default() }
}

pub(super) fn start(text: Option<&str>) -> Changes {
    Changes { start_date: Some(text.map(day)), ..Changes::default() }
}

pub(super) fn hours(text: &str) -> Changes {
    Changes { planned_hours: Some(Some(text.parse::<Decimal>().unwrap())), ..Changes::default() }
}

pub(super) fn dates(start: NaiveDate, due: NaiveDate) -> Changes {
    Changes { start_date: Some(Some(start)), due_date: Some(Some(due)), ..Changes::default() }
}

/// A task that is Mara Vogt's.
fn assigned(planner: &Planner) -> Gid {
    let task = Scene::montage(planner);
    let boss = planner.boss.gid().to_string();
    planner.boss.change_task(task, json!({ "assignee": boss })).expect("assigned");
    task
}

/// P6. Trap 22.
#[tokio::test]
async fn changes_made_shortly_after_each_other_are_one_write_with_start_and_due_together() {
    let scene = Scene::new().await;

    scene.change(due("2026-11-20")).await;
    scene.change(hours("37.5")).await;
    scene.change(Changes { area: Some(Some(Area::Production)), ..Changes::default() }).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 37.5 production");
    let (area, hours) = (scene.planner.area.gid.to_string(), scene.planner.hours.gid.to_string());
    let fields = json!({ area: scene.planner.option("Produktion"), hours: 37.5 });
    let body = json!({ "start_on": "2026-11-02", "due_on": "2026-11-20", "custom_fields": fields });
    assert_eq!(scene.written(), [body]);
    assert_eq!(scene.intents().await, ["done"]);
}

/// The pause is real: nothing is written before it is over.
#[tokio::test]
async fn a_change_waits_five_seconds_for_the_next_one() {
    let scene = Scene::new().await;

    scene.change(due("2026-11-20")).await;

    let waits = "extract(epoch FROM run_time - create_time) BETWEEN 4.9 AND 5.1";
    assert_eq!(scene.planner.value(waits, "outbox AND kind = 'phase_push'").await, "t");
    assert_eq!(scene.written(), [] as [Value; 0]);
}

/// P5.
#[tokio::test]
async fn what_was_written_comes_back_without_becoming_a_change() {
    let scene = Scene::new().await;
    scene.change(due("2026-11-20")).await;
    scene.until_synced().await;
    let history = scene.planner.history(scene.task).await;

    scene.planner.heed(scene.planner.project, &[asana::told("changed", scene.task)]).await;
    scene.planner.sync().await;
    scene.until_synced().await;

    assert_eq!(scene.planner.history(scene.task).await, history);
    assert_eq!(history, ["created asana", "fields admin", "sync system"]);
    assert_eq!((scene.written().len(), scene.conflicts().await), (1, vec![]));
}

#[tokio::test]
async fn a_value_put_back_before_it_was_written_is_not_written_at_all() {
    let scene = Scene::new().await;

    scene.change(due("2026-11-20")).await;
    scene.change(due("2026-11-13")).await;
    scene.until_synced().await;

    assert_eq!(scene.written(), [] as [Value; 0]);
    assert_eq!(scene.here().await, scene.there());
}

#[tokio::test]
async fn a_phase_of_one_day_is_written_without_a_start() {
    let scene = Scene::new().await;

    scene.change(dates(day("2026-11-09"), day("2026-11-09"))).await;
    scene.until_synced().await;

    assert_eq!(scene.written(), [json!({ "start_on": null, "due_on": "2026-11-09" })]);
    assert_eq!(scene.there(), "- 2026-11-09 40 assembly");
}

#[tokio::test]
async fn a_time_of_day_survives_a_change_of_the_start() {
    let scene = Scene::over(&asana::double().await, |planner| {
        let data = json!({ "start_on": "2026-11-02", "due_at": "2026-11-13T15:00:00.000Z" });
        planner.task_in(planner.project, "Montage", data)
    })
    .await;

    scene.change(start(Some("2026-11-04"))).await;
    scene.until_synced().await;

    assert!(scene.there().contains("2026-11-13T15:00:00"), "{}", scene.there());
    assert!(scene.here().await.starts_with("2026-11-04 2026-11-13"), "{}", scene.here().await);
}

#[tokio::test]
async fn a_write_leaves_the_part_of_the_budget_that_is_kept_for_people() {
    let scene = Scene::new().await;
    let budget = |tokens| {
        format!("UPDATE integration_flow SET capacity = 100, refill_per_s = 0.001, tokens = {tokens}")
    };
    scene.planner.owner.run(&budget(15)).await;

    scene.change(due("2026-11-20")).await;
    scene.until("pending THROTTLED").await;
    assert_eq!(scene.planner.asana.requests().len(), 0);
    scene.planner.owner.run(&budget(25)).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
}

/// However many users and projects there are: whoever reads one that the task does not name fails.
#[tokio::test]
async fn a_write_needs_no_list_of_users_and_projects() {
    let scene = Scene::over(&asana::double().await, assigned).await;
    let owner = &scene.planner.owner;
    for table in ["external_user", "project"] {
        let crowd = format!(
            "INSERT INTO {table} (tenant_id, id, integration_id, external_id, name) \
             SELECT i.tenant_id, gen_random_uuid(), i.id, 'x' || n, 'crowd' \
             FROM integration i, generate_series(1, 5000) n; ANALYZE {table}"
        );
        owner.run(&crowd).await;
    }
    owner
        .run(
            "CREATE FUNCTION is_named(name text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN \
                 ASSERT name <> 'crowd', 'all of them are read'; RETURN true; END $$; \
             CREATE POLICY named ON external_user AS RESTRICTIVE USING (is_named(name)); \
             CREATE POLICY named ON project AS RESTRICTIVE USING (is_named(name))",
        )
        .await;

    scene.change(due("2026-11-20")).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
}

#[tokio::test]
async fn a_write_leaves_whose_a_phase_is_and_where_it_is_alone() {
    let scene = Scene::over(&asana::double().await, assigned).await;
    let place = "SELECT u.name || ' ' || r.name FROM phase p JOIN external_user u ON u.id = p.assignee_id \
        JOIN phase_project l ON l.phase_id = p.id JOIN project r ON r.id = l.project_id";

    scene.change(due("2026-11-20")).await;
    scene.until_synced().await;

    assert_eq!(scene.planner.owner.lines(place).await, ["Mara Vogt Haus am Wall"]);
}

#[tokio::test]
async fn writes_wait_while_they_are_paused() {
    let scene = Scene::new().await;
    scene.planner.change_integration(|row| row.outbound_paused = true).await;

    scene.change(due("2026-11-20")).await;
    scene.until("pending OUTBOUND_PAUSED").await;
    assert_eq!(scene.written(), [] as [Value; 0]);
    scene.planner.change_integration(|row| row.outbound_paused = false).await;
    scene.until_synced().await;

    assert_eq!(scene.there(), "2026-11-02 2026-11-20 40 assembly");
}
