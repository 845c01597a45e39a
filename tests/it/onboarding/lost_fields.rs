//! Mapped fields that somebody takes away at Asana: noticed by the next write, told, and found again.

use stellwerk::{
    proto::{self, IntegrationHealth, OnboardingStep, OnboardingStepState},
    sandbox::asana::{Gid, Operation, Point},
};

use crate::support::{
    PATIENCE,
    app::TestApp,
    planned::{self, Planned},
    reason, wait_until,
};

/// In step with one project that has one phase; without webhooks, so that nobody tells of anything.
struct Scene {
    app: TestApp,
    planned: Planned,
    project: Gid,
}

impl Scene {
    async fn new() -> Self {
        let app = planned::app().start().await;
        let (tenant, double) = (app.tenant("acme").await, planned::double().await);
        let planned = Planned::new(&app, &tenant, &double).await;
        let project = planned.add_project("Wohnhaus");
        planned.add_task(project, "Dachstuhl", Some(planned.option(0)), 4.into());
        planned.select(planned.workspace).await.unwrap();
        planned.map(planned.mapping()).await.unwrap();
        let scene = Self { app, planned, project };
        scene.read().await;
        scene
    }

    /// Everything, once.
    async fn read(&self) {
        self.planned.start_sync().await.unwrap();
        self.app.work_until_idle().await;
    }

    async fn phase(&self) -> proto::Phase {
        let request = proto::ListPhasesRequest::default();
        let mut listed = self.planned.admin.planning().list_phases(request).await.unwrap().into_inner();
        listed.phases.remove(0)
    }

    async fn plan(&self, hours: &str) -> Result<proto::Phase, tonic::Status> {
        let request = proto::UpdatePhaseRequest {
            phase_id: self.phase().await.phase_id,
            planned_hours: hours.into(),
            ..Default::default()
        };
        Ok(self.planned.admin.planning().update_phase(request).await?.into_inner().phase.unwrap())
    }

    /// Waits until the dashboard says so, and for no pause on the way.
    async fn until(&self, health_reason: &str) {
        wait_until(health_reason, PATIENCE, async || {
            self.app.hurry().await;
            self.planned.status().await.health_reason == health_reason
        })
        .await;
    }

    /// How the step of the mapping stands, and why.
    async fn mapping(&self) -> (OnboardingStepState, String) {
        let onboarding = self.planned.onboarding().await;
        let step = onboarding.steps.into_iter().find(|one| one.step() == OnboardingStep::FieldMapping);
        step.map(|step| (step.state(), step.reason)).unwrap()
    }
}

/// Traps 23, 24. The field goes between our look at the task and our write.
#[tokio::test]
async fn a_field_that_is_not_on_the_task_asks_for_the_mapping_until_it_is_found_again() {
    let scene = Scene::new().await;
    let board = scene.planned.board();
    let mut gate = scene.planned.asana.pause_next(Point::BeforeApplying, Operation::UpdateTask);

    scene.plan("8").await.unwrap();
    scene.app.hurry().await;
    gate.reached().await.expect("the hours are written");
    board.detach_field(scene.project, scene.planned.hours.gid).unwrap();
    gate.open();
    scene.until("HOURS_FIELD_LOST").await;
    let (status, mapping) = (scene.planned.status().await, scene.mapping().await);
    let refused = scene.plan("9").await.unwrap_err();

    assert_eq!(status.health(), IntegrationHealth::Degraded);
    assert!(status.health_advice.starts_with("Choose the fields anew"), "{}", status.health_advice);
    assert_eq!(mapping, (OnboardingStepState::Failed, "HOURS_FIELD_LOST".into()));
    assert_eq!(reason(&refused), "PHASE_FIELD_NOT_WRITABLE");

    board.attach_field(scene.project, scene.planned.hours.gid).unwrap();
    scene.planned.start_sync().await.unwrap();
    wait_until("the mapping is found", PATIENCE, async || {
        scene.app.hurry().await;
        scene.mapping().await == (OnboardingStepState::Done, String::new())
    })
    .await;
}

/// Without the field nothing is a phase: what was read stays until a person has said what it is now.
#[tokio::test]
async fn without_the_field_of_the_area_the_mapping_is_the_next_step_and_another_field_takes_its_place() {
    let scene = Scene::new().await;
    let other = scene.planned.asana.add_enum_field(scene.planned.workspace, "Arbeitsbereich", &["Montage"]);
    let board = scene.planned.board();
    board.detach_field(scene.project, scene.planned.area.gid).unwrap();
    board.attach_field(scene.project, other.gid).unwrap();

    scene.read().await;
    let lost = scene.planned.onboarding().await;
    let mut mapping = scene.planned.mapping();
    mapping.area_field_gid = other.gid.to_string();
    mapping.options.truncate(1);
    mapping.options[0].option_gid = match &other.kind {
        stellwerk::sandbox::asana::Kind::Enum(options) => options[0].gid.to_string(),
        other => panic!("{other:?}"),
    };
    let mapped = scene.planned.map(mapping).await.unwrap();
    scene.read().await;

    assert_eq!((lost.next_step(), lost.reason.as_str()), (OnboardingStep::FieldMapping, "AREA_FIELD_LOST"));
    assert_eq!(
        (mapped.next_step(), mapped.reason.as_str()),
        (OnboardingStep::InitialSync, "MAPPING_CHANGED")
    );
    assert_eq!(scene.planned.onboarding().await.next_step(), OnboardingStep::Webhooks);
    assert_eq!(scene.phase().await.presence(), proto::Presence::Present);
}
