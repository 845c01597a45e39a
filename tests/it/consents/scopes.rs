//! A consent covers what it names, and nothing else: of a planning tool each kind of data takes its own.

use chrono::{Days, Utc};
use stellwerk::{
    domain::planning::update::{self, Changes},
    ids::PhaseId,
    proto::{Consent, ConsentScope, GrantConsentRequest, PreviewFieldMappingRequest},
    sandbox::asana::{Asana, Gid, Operation, Point},
    words::SyncState,
};
use uuid::Uuid;

use super::{appointments_for, grant, require, revoke};
use crate::support::{
    PATIENCE,
    app::TestApp,
    asana::{self, Planner, day, errors},
    calcom::no_key,
    planned::Planned,
    reason,
    tenant::TestTenant,
    wait_until,
};

/// A planner whose integration needs consent, with a task that has been read: due on 13 November.
struct Scene {
    app: TestApp,
    tenant: TestTenant,
    planner: Planner,
    task: Gid,
    /// What each consent covers.
    planning: Consent,
    absences: Consent,
    hours: Consent,
}

impl Scene {
    async fn new() -> Self {
        let app = asana::app().start().await;
        let tenant = app.tenant("Planungsbüro am Wall").await;
        let planner = Planner::new(&app, &tenant, &asana::double().await).await;
        let task = planner.task("Rohbau", "2026-11-13");
        let practitioner = tenant.put_practitioner("Mara Vogt").await;
        planner.sync().await;
        planner.map(&planner.boss, &practitioner).await;
        planner.change_integration(|row| row.consent_required = true).await;
        let planning = agree(&tenant, &planner, ConsentScope::Planning).await;
        let absences = agree(&tenant, &planner, ConsentScope::Absences).await;
        let hours = agree(&tenant, &planner, ConsentScope::TimeEntries).await;
        planner.idle().await;
        planner.asana.forget_requests();
        Self { app, tenant, planner, task, planning, absences, hours }
    }

    fn asana(&self) -> &Asana {
        &self.planner.asana
    }

    async fn take_back(&self, consent: &Consent) {
        revoke(&self.tenant.admin, consent).await.unwrap();
    }

    /// Somebody at a desk moves the phase to the 20th.
    async fn change(&self) {
        let (domain, admin) = (&self.planner.domain, self.planner.admin());
        let id = self.planner.value("id", &format!("phase AND external_id = '{}'", self.task)).await;
        let id = PhaseId(id.parse::<Uuid>().unwrap());
        let changes = Changes { due_date: Some(Some(day("2026-11-20"))), ..Changes::default() };
        update::update(domain, &admin, &no_key(), id, &changes, Utc::now()).await.unwrap();
    }

    /// Waits until the phase's write stands like this.
    async fn until(&self, standing: &str) {
        let columns = "concat_ws(' ', provider_sync, provider_sync_reason)";
        let of = format!("phase AND external_id = '{}'", self.task);
        wait_until(standing, PATIENCE, async || {
            self.app.hurry().await;
            self.planner.value(columns, &of).await == standing
        })
        .await;
    }
}

async fn agree(tenant: &TestTenant, planner: &Planner, scope: ConsentScope) -> Consent {
    let scopes = vec![scope.into()];
    grant(&tenant.admin, GrantConsentRequest { scopes, ..appointments_for(planner.integration) })
        .await
        .unwrap()
}

/// P2, P6. Leave for absences is none for plans.
#[tokio::test]
async fn a_change_is_neither_looked_up_nor_written_without_leave_for_planning_and_is_when_there_is_one() {
    let scene = Scene::new().await;
    scene.take_back(&scene.planning).await;

    scene.change().await;
    scene.until("pending CONSENT_MISSING").await;
    let asked = scene.asana().requests().len();
    agree(&scene.tenant, &scene.planner, ConsentScope::Planning).await;
    scene.until("synced").await;

    assert_eq!(asked, 0);
    assert_eq!(scene.asana().count(Operation::UpdateTask), 1);
    assert_eq!(scene.planner.plan(scene.task).await, "- 2026-11-20 - -");
}

/// P2. The look before a write was taken with leave; what it saw is not kept without.
#[tokio::test]
async fn a_change_is_not_written_when_leave_is_taken_back_during_the_look_before_it() {
    let scene = Scene::new().await;
    let begin = day("2026-11-02");
    scene.planner.boss.set_dates(scene.task, Some(begin), Some(day("2026-11-13"))).unwrap();
    let mut gate = scene.asana().pause_next(Point::AfterApplying, Operation::GetTask);
    scene.change().await;
    scene.app.hurry().await;
    gate.reached().await.expect("the task is looked at");

    scene.take_back(&scene.planning).await;
    gate.open();
    scene.until("pending CONSENT_MISSING").await;

    assert_eq!(scene.asana().count(Operation::UpdateTask), 0);
    assert_eq!(scene.planner.plan(scene.task).await, "- 2026-11-20 - -");
}

/// P2. The answer that is under way was asked for with leave, and is not kept without; nobody else is asked
/// for.
#[tokio::test]
async fn of_absences_nothing_is_kept_or_asked_from_the_moment_their_leave_is_taken_back() {
    let scene = Scene::new().await;
    let planner = &scene.planner;
    let erika = planner.user("Erika Muster", "erika@example.org");
    let practitioner = scene.tenant.put_practitioner("Erika Muster").await;
    planner.sync().await;
    planner.map(&erika, &practitioner).await;
    let (first, last) = (Utc::now().date_naive(), Utc::now().date_naive() + Days::new(3));
    for person in [&planner.boss, &erika] {
        person.take_leave(planner.workspace, first, last).expect("leave");
    }
    planner.asana.forget_requests();
    let mut gate = planner.asana.pause_next(Point::AfterApplying, Operation::ListAbsences);
    let run = planner.start().await;
    gate.reached().await.expect("the first one is asked for");

    scene.take_back(&scene.absences).await;
    gate.open();
    let ended = planner.ended(run.id).await;

    assert_eq!((ended.state, errors(&ended)), (SyncState::Partial, vec!["absences CONSENT_MISSING".into()]));
    assert_eq!(planner.asana.count(Operation::ListAbsences), 1);
    assert_eq!(planner.value("count(*)", "absence").await, "0");
}

/// P2.
#[tokio::test]
async fn of_hours_nothing_is_kept_from_the_moment_their_leave_is_taken_back() {
    let scene = Scene::new().await;
    let planner = &scene.planner;
    planner.boss.log_time(scene.task, 60, day("2026-11-03")).expect("logged");
    let mut gate = planner.asana.pause_next(Point::AfterApplying, Operation::ListTaskTimeEntries);
    let run = planner.start().await;
    gate.reached().await.expect("the entries are asked for");

    scene.take_back(&scene.hours).await;
    gate.open();
    let ended = planner.ended(run.id).await;

    assert_eq!(
        (ended.state, errors(&ended)),
        (SyncState::Partial, vec!["time_entries CONSENT_MISSING".into()])
    );
    assert_eq!(planner.value("count(*)", "time_entry").await, "0");
}

/// P2. A preview shows real tasks.
#[tokio::test]
async fn a_mapping_is_not_previewed_without_leave_for_planning() {
    let app = crate::support::planned::app().start().await;
    let planned = Planned::fresh(&app).await;
    let project = planned.add_project("Wohnhaus");
    planned.add_task(project, "Dachstuhl", Some(planned.option(0)), 4.into());
    planned.select(planned.workspace).await.unwrap();
    require(&planned.admin, &planned.id()).await;
    let scopes = vec![ConsentScope::Absences.into()];
    grant(&planned.admin, GrantConsentRequest { scopes, ..appointments_for(planned.integration) })
        .await
        .unwrap();
    app.work_until_idle().await;
    planned.asana.forget_requests();

    let request = PreviewFieldMappingRequest {
        integration_id: planned.id(),
        field_mapping: Some(planned.mapping()),
        task_count: 0,
    };
    let refused = planned.admin.onboarding().preview_field_mapping(request).await.unwrap_err();

    assert_eq!(reason(&refused), "CONSENT_MISSING");
    assert_eq!(planned.asana.requests().len(), 0);
}
