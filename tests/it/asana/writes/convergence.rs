//! P5, P9: whatever both sides do, and whatever is lost, late or doubled on the way, they agree in the end,
//! and on what somebody said last.

use chrono::{Days, NaiveDate, TimeDelta};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rust_decimal::Decimal;
use stellwerk::{
    domain::planning::update::Changes,
    proto::ActivateWebhooksRequest,
    sandbox::asana::{Fault, Operation, Rule},
    words::Area,
};

use super::Scene;
use crate::support::{
    asana::{self, Planner, day},
    soak_rounds,
};

/// Steps of one history.
const STEPS: usize = 16;

/// What makes one history; its seed is printed when it fails.
struct Dice(StdRng);

/// What one side said last of start, due, hours and area, in the words of `Scene::there`.
#[derive(Debug, Default)]
struct Said([Option<String>; 4]);

impl Said {
    fn dates(&mut self, start: Option<NaiveDate>, due: NaiveDate) {
        self.0[0] = Some(start.map_or_else(|| "-".into(), |start| start.to_string()));
        self.0[1] = Some(due.to_string());
    }

    fn hours(&mut self, hours: Decimal) {
        self.0[2] = Some(hours.normalize().to_string());
    }

    fn area(&mut self, area: Option<Area>) {
        self.0[3] = Some(area.map_or("-", Area::as_str).into());
    }
}

/// What happened in one history.
#[derive(Debug, Default)]
struct Told {
    here: Said,
    there: Said,
    /// On both sides.
    changes: usize,
    /// Writes that something happened to.
    faults: usize,
}

impl Told {
    /// Fields that are what nobody said last.
    fn unsaid<'a>(&self, begin: &'a str, end: &'a str) -> Vec<&'a str> {
        let fields = begin.split(' ').zip(end.split(' ')).enumerate();
        let is_unsaid = |(field, (begin, end)): &(usize, (&str, &str))| {
            let mut said = [&self.here.0[*field], &self.there.0[*field]].into_iter().flatten().peekable();
            if said.peek().is_none() { begin != end } else { said.all(|said| said != end) }
        };
        fields.filter(is_unsaid).map(|(_, (_, end))| end).collect()
    }
}

impl Dice {
    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.0).unwrap()
    }

    fn dates(&mut self) -> (Option<NaiveDate>, NaiveDate) {
        let start = day("2026-11-02") + Days::new(self.0.random_range(0..10));
        let due = start + Days::new(self.0.random_range(0..10));
        (Some(start).filter(|start| *start < due), due)
    }

    fn hours(&mut self) -> Decimal {
        Decimal::new(self.0.random_range(0..400), 1)
    }

    fn change_here(&mut self, said: &mut Said) -> Changes {
        match self.0.random_range(0..3) {
            0 => {
                let (start, due) = self.dates();
                said.dates(start, due);
                Changes { start_date: Some(start), due_date: Some(Some(due)), ..Changes::default() }
            }
            1 => {
                let hours = self.hours();
                said.hours(hours);
                Changes { planned_hours: Some(Some(hours)), ..Changes::default() }
            }
            _ => {
                let area = self.one_of(&[Some(Area::Production), Some(Area::Assembly), None]);
                said.area(area);
                Changes { area: Some(area), ..Changes::default() }
            }
        }
    }

    fn change_there(&mut self, scene: &Scene, said: &mut Said) {
        let (boss, task) = (&scene.planner.boss, scene.task);
        match self.0.random_range(0..4) {
            0 => {
                let (start, due) = self.dates();
                said.dates(start, due);
                boss.set_dates(task, start, Some(due)).unwrap();
            }
            1 => {
                let hours = self.hours();
                said.hours(hours);
                let number: f64 = hours.to_string().parse().unwrap();
                boss.set_field(task, scene.planner.hours.gid, number).unwrap();
            }
            2 => {
                let (option, area) =
                    self.one_of(&[("Produktion", Area::Production), ("Montage", Area::Assembly)]);
                said.area(Some(area));
                boss.set_field(task, scene.planner.area.gid, scene.planner.option(option)).unwrap();
            }
            // Raises the task's own time and changes nothing.
            _ => boss.comment(task).unwrap(),
        }
    }

    fn fault(&mut self) -> Rule {
        let fault = match self.0.random_range(0..4) {
            0 => Fault::AnswerLost { hold: false },
            1 => Fault::ErrorAfter { status: 502 },
            2 => Fault::Reset,
            _ => Fault::ErrorBefore { status: 503 },
        };
        let asked = [Operation::UpdateTask, Operation::UpdateTask, Operation::GetTask];
        Rule::next(1, fault).on(self.one_of(&asked))
    }

    /// What happens to the webhooks of one history.
    fn misfortune(&mut self) -> Vec<Rule> {
        let faults = [
            (0.2, Fault::WebhookLost),
            (0.2, Fault::WebhookTwice),
            (0.2, Fault::WebhookPassed),
            (0.2, Fault::WebhookLate { seconds: 4 }),
            (0.1, Fault::WebhookHeld),
        ];
        faults.into_iter().map(|(chance, fault)| Rule::chance(chance, self.0.random(), fault)).collect()
    }
}

/// As [`Scene::new`], and told of every change by webhooks.
async fn subscribed() -> Scene {
    let app = asana::app().reachable().start().await;
    let tenant = app.tenant("Planungsbüro am Wall").await;
    let planner = Planner::new(&app, &tenant, &asana::double().await).await;
    let task = Scene::montage(&planner);
    planner.sync().await;
    let integration_id = planner.integration.to_string();
    let request = ActivateWebhooksRequest { integration_id, ..Default::default() };
    tenant.admin.onboarding().activate_webhooks(request).await.unwrap();
    planner.idle().await;
    assert_eq!(planner.asana.webhooks().len(), 2, "of the project and of the workspace");
    planner.asana.forget_requests();
    Scene { app, planner, task }
}

async fn live_through(seed: u64) {
    let scene = subscribed().await;
    let mut dice = Dice(StdRng::seed_from_u64(seed));
    let (begin, mut told) = (scene.there(), Told::default());
    for rule in dice.misfortune() {
        scene.planner.asana.add_fault(rule);
    }

    for _ in 0..STEPS {
        match dice.0.random_range(0..7) {
            0..=2 => {
                scene.change(dice.change_here(&mut told.here)).await;
                told.changes += 1;
            }
            3..=4 => {
                dice.change_there(&scene, &mut told.there);
                told.changes += 1;
            }
            5 => {
                scene.planner.asana.add_fault(dice.fault());
                told.faults += 1;
            }
            _ => {
                scene.planner.asana.advance(TimeDelta::seconds(dice.0.random_range(0..5))).await;
                scene.app.hurry().await;
            }
        }
    }
    come_to_rest(&scene).await;

    let end = scene.there();
    assert_eq!(scene.here().await, end, "seed {seed}: {told:?}");
    assert_eq!(told.unsaid(&begin, &end), [""; 0], "seed {seed}: {begin}, {end}, {told:?}");
    let agreed = "(start_date, due_date, planned_hours, area) IS NOT DISTINCT FROM \
         (base_start_date, base_due_date, base_planned_hours, base_area)";
    assert_eq!(scene.planner.value(agreed, "phase").await, "t", "seed {seed}");
    let written = scene.written().len();
    assert!(written <= told.changes + told.faults, "seed {seed}: {written} writes, {told:?}");
    // And then it is quiet.
    let history = scene.planner.history(scene.task).await;
    come_to_rest(&scene).await;
    assert_eq!(
        (scene.written().len(), scene.planner.history(scene.task).await),
        (written, history),
        "seed {seed}"
    );
}

/// Nothing goes wrong any more, everything under way arrives, and what was missed is looked for.
async fn come_to_rest(scene: &Scene) {
    scene.planner.asana.clear_faults();
    scene.planner.asana.release_webhooks().await;
    scene.planner.asana.advance(TimeDelta::seconds(10)).await;
    scene.planner.asana.quiet().await;
    scene.until_synced().await;
    scene.planner.sync().await;
    scene.until_synced().await;
    scene.planner.idle().await;
}

#[tokio::test]
async fn both_sides_agree_in_the_end_and_then_writing_stops() {
    for seed in 0..4 {
        live_through(seed).await;
    }
}

#[tokio::test]
async fn soak_both_sides_agree_in_the_end() {
    for seed in 100..100 + u64::from(soak_rounds()) {
        live_through(seed).await;
    }
}
