//! P9: whatever both sides do, and whatever is lost, late or doubled on the way, they agree in the end.

use chrono::{Days, NaiveDate, TimeDelta};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use rust_decimal::Decimal;
use serde_json::Value;
use stellwerk::{
    domain::planning::update::Changes,
    sandbox::asana::{Fault, Operation, Rule},
    words::Area,
};

use super::Scene;
use crate::support::{
    asana::{day, told},
    soak_rounds,
};

/// Steps of one history.
const STEPS: usize = 12;

/// What makes one history; printed when it fails.
struct Dice(StdRng);

impl Dice {
    fn one_of<T: Copy>(&mut self, of: &[T]) -> T {
        *of.choose(&mut self.0).unwrap()
    }

    fn dates(&mut self) -> (Option<NaiveDate>, NaiveDate) {
        let start = day("2026-11-02") + Days::new(self.0.random_range(0..10));
        let due = start + Days::new(self.0.random_range(0..10));
        (Some(start).filter(|start| *start < due), due)
    }

    fn changes(&mut self) -> Changes {
        match self.0.random_range(0..3) {
            0 => {
                let (start, due) = self.dates();
                Changes { start_date: Some(start), due_date: Some(Some(due)), ..Changes::default() }
            }
            1 => {
                let hours = Decimal::new(self.0.random_range(0..400), 1);
                Changes { planned_hours: Some(Some(hours)), ..Changes::default() }
            }
            _ => {
                let area = self.one_of(&[Some(Area::Production), Some(Area::Assembly), None]);
                Changes { area: Some(area), ..Changes::default() }
            }
        }
    }

    fn change_there(&mut self, scene: &Scene) {
        let (boss, task) = (&scene.planner.boss, scene.task);
        match self.0.random_range(0..4) {
            0 => {
                let (start, due) = self.dates();
                boss.set_dates(task, start, Some(due)).unwrap();
            }
            1 => {
                let tenths: i32 = self.0.random_range(0..400);
                boss.set_field(task, scene.planner.hours.gid, f64::from(tenths) / 10.0).unwrap();
            }
            2 => {
                let option = self.one_of(&["Produktion", "Montage"]);
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
        Rule::next(1, fault).on(Operation::UpdateTask)
    }
}

async fn live_through(seed: u64) {
    let scene = Scene::new().await;
    let mut dice = Dice(StdRng::seed_from_u64(seed));

    for _ in 0..STEPS {
        match dice.0.random_range(0..7) {
            0 | 1 => scene.change(dice.changes()).await,
            2 | 3 => dice.change_there(&scene),
            // Told twice, or never.
            4 => {
                let event = told("changed", scene.task);
                let events: Vec<Value> = vec![event; dice.0.random_range(1..3)];
                scene.planner.hear(scene.planner.project, &events).await;
            }
            5 => drop(scene.planner.asana.add_fault(dice.fault())),
            _ => {
                scene.planner.asana.advance(TimeDelta::seconds(dice.0.random_range(0..5))).await;
                scene.app.hurry().await;
            }
        }
    }
    scene.planner.asana.clear_faults();
    scene.until_synced().await;
    scene.planner.sync().await;
    scene.until_synced().await;

    assert_eq!(scene.here().await, scene.there(), "seed {seed}");
    let agreed = "(start_date, due_date, planned_hours, area) IS NOT DISTINCT FROM \
         (base_start_date, base_due_date, base_planned_hours, base_area)";
    assert_eq!(scene.planner.value(agreed, "phase").await, "t", "seed {seed}");
    // And then it is quiet.
    let (written, history) = (scene.written().len(), scene.planner.history(scene.task).await);
    scene.planner.sync().await;
    scene.until_synced().await;
    assert_eq!(
        (scene.written().len(), scene.planner.history(scene.task).await),
        (written, history),
        "seed {seed}"
    );
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
