//! Calls that go on: how many at once, how long, and that their callers still may.

use std::{sync::Arc, time::Duration};

use futures::{
    StreamExt,
    future::BoxFuture,
    stream::{self, BoxStream},
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tonic::{Extensions, Request, Status};

use crate::{
    caller::Caller,
    error::{Error, Result},
    gate::{NoPlace, Place, Places},
    ids::TenantId,
    telemetry::metrics::OPEN_STREAMS,
};

/// How often a stream asks whether its caller still may: a revoked key must not go on listening.
const CHECK_EVERY: Duration = Duration::from_secs(15);

/// What an rpc answers that goes on.
pub type Answers<T> = BoxStream<'static, Result<T, Status>>;

/// Tells the calls of a connection that it is about to end; beside every request.
#[derive(Clone, Debug, Default)]
pub struct Leaving(pub CancellationToken);

/// Whether a caller may still do what it began; beside every request. False: it is somebody else by now.
/// Errors: as when it called.
#[derive(Clone)]
pub struct Standing(pub Arc<dyn Fn() -> BoxFuture<'static, Result<bool>> + Send + Sync>);

/// The places of a process for streams.
#[derive(Clone)]
pub struct Streams {
    places: Arc<Places>,
    longest: Duration,
}

/// What messages come from.
pub(super) trait Source: Send + 'static {
    type Message: Send + 'static;

    /// The next one; `None` at the end.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Message>>> + Send;
}

/// A place in a process, taken before the first look at what is asked for.
pub(super) struct Ticket {
    _place: Place,
    standing: Option<Standing>,
    leaving: Leaving,
    end: Instant,
}

struct Stream<S> {
    source: S,
    ticket: Ticket,
    checked: Instant,
}

impl Streams {
    /// At most `count` at once; each ends after `longest`, whatever is under way.
    pub fn new(count: u32, longest: Duration) -> Self {
        Self { places: Places::new(count, OPEN_STREAMS), longest }
    }

    /// A place for the stream that this request asks for. Errors: `Overloaded`, `LimitReached`.
    pub(super) fn enter<T>(&self, request: &Request<T>) -> Result<Ticket> {
        let caller = request.extensions().get::<Caller>();
        let caller = caller.ok_or_else(|| Error::internal("a call reached its handler without a caller"))?;
        self.ticket(caller.tenant, request.extensions())
    }

    fn ticket(&self, tenant: TenantId, extensions: &Extensions) -> Result<Ticket> {
        let place = self.places.enter(tenant).map_err(|none| match none {
            NoPlace::AllTaken => Error::Overloaded,
            NoPlace::TenantHasHalf => Error::LimitReached("streams"),
        })?;
        Ok(Ticket {
            _place: place,
            standing: extensions.get().cloned(),
            leaving: extensions.get().cloned().unwrap_or_default(),
            end: Instant::now() + self.longest,
        })
    }
}

impl Ticket {
    /// The messages of `source`, until it ends or fails, the time is over, the connection or the server is
    /// about to end, or the caller may no longer.
    pub(super) fn stream<S: Source>(self, source: S) -> Answers<S::Message> {
        let stream = Stream { source, ticket: self, checked: Instant::now() };
        stream::unfold(Some(stream), |stream| async {
            let mut stream = stream?;
            match stream.next().await {
                Ok(Some(message)) => Some((Ok(message), Some(stream))),
                Ok(None) => None,
                Err(error) => Some((Err(error.into()), None)),
            }
        })
        .boxed()
    }
}

impl<S: Source> Stream<S> {
    async fn next(&mut self) -> Result<Option<S::Message>> {
        let message = tokio::select! {
            biased;
            () = self.ticket.leaving.0.cancelled() => return Ok(None),
            () = tokio::time::sleep_until(self.ticket.end) => return Ok(None),
            message = self.source.next() => message?,
        };
        // A source speaks at least as often, so that nobody is checked much later.
        if self.checked.elapsed() >= CHECK_EVERY {
            if let Some(standing) = &self.ticket.standing
                && !(standing.0)().await?
            {
                return Ok(None);
            }
            self.checked = Instant::now();
        }
        Ok(message)
    }
}

#[cfg(test)]
mod tests {
    use futures::future::pending;

    use super::*;

    /// Says 1, 2, 3 … and then nothing any more.
    struct Counting {
        said: u32,
        until: u32,
    }

    impl Source for Counting {
        type Message = u32;

        async fn next(&mut self) -> Result<Option<u32>> {
            if self.said == self.until {
                pending::<()>().await;
            }
            self.said += 1;
            Ok(Some(self.said))
        }
    }

    fn streams(count: u32) -> Streams {
        Streams::new(count, Duration::from_secs(3600))
    }

    fn enter(streams: &Streams, tenant: TenantId) -> Result<Ticket> {
        streams.ticket(tenant, &Extensions::default())
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_without_an_error_when_its_time_is_over() {
        let begin = Instant::now();

        let said: Vec<_> = enter(&streams(2), TenantId::new())
            .unwrap()
            .stream(Counting { said: 0, until: 3 })
            .map(Result::unwrap)
            .collect()
            .await;

        assert_eq!(said, [1, 2, 3]);
        assert_eq!(begin.elapsed(), Duration::from_secs(3600));
    }

    #[tokio::test(start_paused = true)]
    async fn a_stream_ends_without_an_error_when_its_connection_is_about_to() {
        let leaving = Leaving::default();
        let mut extensions = Extensions::default();
        extensions.insert(leaving.clone());
        let ticket = streams(2).ticket(TenantId::new(), &extensions).unwrap();
        let mut stream = ticket.stream(Counting { said: 0, until: u32::MAX });

        let before = stream.next().await;
        leaving.0.cancel();
        let after = stream.next().await;

        assert_eq!(before.unwrap().unwrap(), 1);
        assert!(after.is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_who_may_no_longer_hears_nothing_more_but_why() {
        /// Speaks every ten seconds.
        struct Clock;
        impl Source for Clock {
            type Message = ();
            async fn next(&mut self) -> Result<Option<()>> {
                tokio::time::sleep(Duration::from_secs(10)).await;
                Ok(Some(()))
            }
        }
        let mut extensions = Extensions::default();
        extensions.insert(Standing(Arc::new(|| Box::pin(async { Err(Error::SubjectNotLinked) }))));
        let ticket = streams(2).ticket(TenantId::new(), &extensions).unwrap();

        let heard: Vec<_> =
            ticket.stream(Clock).map(|heard| heard.map_err(|status| status.code())).collect().await;

        assert_eq!(heard, [Ok(()), Err(tonic::Code::PermissionDenied)]);
    }

    #[test]
    fn a_tenants_half_is_a_limit_and_a_full_process_is_overloaded() {
        let (streams, acme) = (streams(2), TenantId::new());
        let _first = enter(&streams, acme).unwrap();

        let another = enter(&streams, acme);
        let _second = enter(&streams, TenantId::new()).unwrap();
        let third = enter(&streams, TenantId::new());

        assert!(matches!(another, Err(Error::LimitReached("streams"))));
        assert!(matches!(third, Err(Error::Overloaded)));
    }
}
