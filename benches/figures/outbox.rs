//! The queue by itself: the worker's loop around handlers that do nothing.

use std::{
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use futures::{
    FutureExt,
    future::{BoxFuture, ready},
};
use stellwerk::{
    domain::Domain,
    store::outbox::{Claimed, Outcome},
    worker::{Handlers, Worker, WorkerConfig},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::{
    Extent, Result,
    report::{Report, Required},
    rooms::Rooms,
    scene::Scene,
};

/// Messages that wait in the small case.
const FEW: usize = 1000;
/// Drained so often: one time is short. The first one warms up.
const TIMES: usize = 6;
/// At a time, in one process.
const WORKERS: usize = 4;

/// Counts what it is asked to do.
#[derive(Default)]
struct Nothing(Mutex<Done>);

#[derive(Default, Clone, Copy)]
struct Done {
    messages: usize,
    first: Option<Instant>,
    last: Option<Instant>,
}

impl Handlers for Nothing {
    fn run<'a>(&'a self, _: &'a Domain, _: &'a Claimed) -> BoxFuture<'a, stellwerk::error::Result<Outcome>> {
        if let Ok(mut done) = self.0.lock() {
            let now = Instant::now();
            done.messages += 1;
            done.first.get_or_insert(now);
            done.last = Some(now);
        }
        ready(Ok(Outcome::Done)).boxed()
    }

    fn give_up<'a>(&'a self, _: &'a Domain, _: &'a Claimed) -> BoxFuture<'a, stellwerk::error::Result<()>> {
        ready(Ok(())).boxed()
    }
}

impl Done {
    /// Messages, and the seconds from the first to the last.
    fn spent(self) -> (usize, f64) {
        let span = self.first.zip(self.last).map_or(Duration::ZERO, |(first, last)| last - first);
        (self.messages, span.as_secs_f64())
    }
}

/// Nobody else may work on the queue meanwhile.
pub(crate) async fn measure(scene: &Scene, extent: &Extent, report: &mut Report) -> Result<()> {
    let rooms = Rooms::open(scene)?;
    let (mut messages, mut seconds) = (0, 0.0);
    for time in 0..TIMES {
        scene.promise(FEW).await?;
        let (drained, took) = drain(&rooms, FEW, Duration::from_secs(60)).await?;
        if time > 0 {
            (messages, seconds) = (messages + drained, seconds + took);
        }
    }
    let few = messages as f64 / seconds;
    eprintln!("storing {} messages", extent.rows);
    scene.promise(extent.rows).await?;
    let (drained, took) = drain(&rooms, extent.rows, extent.warm_up + extent.measured).await?;
    let many = drained as f64 / took;

    for (waiting, rate) in [(FEW, few), (extent.rows, many)] {
        let figure = format!("outbox, {WORKERS} workers, {waiting} messages wait, messages per second");
        report.require(&figure, format!("{rate:.0} /s"), rate, Required::AtLeast(1500.0));
    }
    let figure = format!("  cost of a message against {FEW} that wait");
    let [many_us, few_us] = [many, few].map(|rate| format!("{:.0} us", 1e6 / rate));
    report.compare(&figure, many_us, few_us, few / many, Required::AtMost(1.3));
    rooms.close()
}

/// Works until so many are done, or for so long.
async fn drain(rooms: &Rooms, messages: usize, at_most: Duration) -> Result<(usize, f64)> {
    let nothing = Arc::new(Nothing::default());
    let stop = CancellationToken::new();
    let config = WorkerConfig { concurrency: WORKERS, schedules: false, ..WorkerConfig::default() };
    let worker = Worker::with_handlers(rooms.domain.clone(), config, nothing.clone());
    let working = rooms.spawn(worker.run(stop.clone()));
    let end = Instant::now() + at_most;
    let done = || nothing.0.lock().map_or(Done::default(), |done| *done);
    while done().messages < messages && Instant::now() < end {
        sleep(Duration::from_millis(20)).await;
    }
    let done = done();
    stop.cancel();
    working.await?;
    Ok(done.spent())
}
