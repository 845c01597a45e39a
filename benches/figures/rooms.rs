//! The verbs' rooms and the doubles, on the program's own kind of runtime, which the load generators' single
//! thread is not.

use std::future::Future;

use stellwerk::{app, domain::Domain};
use tokio::{runtime::Runtime, task::JoinHandle};

use crate::{Result, scene::Scene};

pub(crate) struct Rooms {
    pub(crate) domain: Domain,
    runtime: Option<Runtime>,
}

impl Rooms {
    pub(crate) fn open(scene: &Scene) -> Result<Self> {
        let runtime = Runtime::new()?;
        let keys = scene.root_keys.clone().into();
        let _inside = runtime.enter();
        let domain = app::domain(&scene.service_url, &Default::default(), &keys, String::new())?;
        drop(_inside);
        Ok(Self { domain, runtime: Some(runtime) })
    }

    #[expect(clippy::expect_used, reason = "the runtime leaves only when the value is dropped")]
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        work: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime.as_ref().expect("a runtime").spawn(work)
    }
}

impl Drop for Rooms {
    /// Without waiting, which is not allowed inside another runtime.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
