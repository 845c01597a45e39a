//! How the process ends: the first SIGINT or SIGTERM stops it in order, the second one at once.

use std::{io, time::Duration};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Told to everything that runs.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    /// Take nothing new, finish what is under way.
    pub stop: CancellationToken,
    /// Do not even finish.
    pub hurry: CancellationToken,
}

impl Shutdown {
    /// A shutdown that the signals of the operating system bring about.
    pub fn on_signals() -> io::Result<Self> {
        let (mut interrupt, mut terminate) =
            (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let shutdown = Self::default();
        let told = shutdown.clone();
        tokio::spawn(async move {
            either(&mut interrupt, &mut terminate).await;
            tracing::info!("stopping; a second signal stops at once");
            told.stop.cancel();
            either(&mut interrupt, &mut terminate).await;
            told.hurry.cancel();
        });
        Ok(shutdown)
    }

    /// When patience with what is under way ends: `grace` after the stop, or in a hurry.
    pub async fn overdue(&self, grace: Duration) {
        self.stop.cancelled().await;
        tokio::select! {
            () = tokio::time::sleep(grace) => {}
            () = self.hurry.cancelled() => {}
        }
    }
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
