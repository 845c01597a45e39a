//! The verbs' rooms and the doubles, on the program's own kind of runtime, which the load generators' single thread is
//! not.

use std::{future::Future, thread};

use stellwerk::{app, domain::Domain};
use tokio::{runtime::Runtime, task::JoinHandle};

use crate::{Result, scene::Scene};

pub(crate) struct Rooms {
    pub(crate) domain: Domain,
    runtime: Runtime,
}

impl Rooms {
    pub(crate) fn open(scene: &Scene) -> Result<Self> {
        let runtime = Runtime::new()?;
        let keys = scene.root_keys.clone().into();
        let _inside = runtime.enter();
        let domain = app::domain(&scene.service_url, &Default::default(), &keys, String::new())?;
        drop(_inside);
        Ok(Self { domain, runtime })
    }

    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime.spawn(work)
    }

    /// A runtime must not be dropped inside another one.
    pub(crate) fn close(self) -> Result<()> {
        let Self { domain, runtime } = self;
        drop(domain);
        thread::spawn(move || drop(runtime)).join().map_err(|_| "the runtime panicked".into())
    }
}
