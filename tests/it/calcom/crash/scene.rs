//! A practice whose program can die: the database, Cal.com and the addresses stay.

use chrono::{DateTime, TimeDelta, Utc};
use stellwerk::{
    proto::{self, ProviderSyncState, RescheduleAppointmentRequest, Role},
    sandbox::calcom::{Calcom, Limits, Operation, Recorded, Settings},
};
use tonic::transport::Endpoint;

use crate::{
    calcom::practice::{Premises, check_requests, connect, furnish},
    support::{
        PATIENCE,
        caller::TestCaller,
        desk,
        front::Front,
        server::{Installation, Server},
        wait_until,
    },
};

/// Whole seconds that a message is a process's before it must say that it lives.
pub(super) const LEASE_S: u64 = 2;

pub(super) struct Scene {
    pub(super) calcom: Calcom,
    pub(super) admin: TestCaller,
    pub(super) premises: Premises,
    pub(super) integration_id: String,
    servers: Vec<Server>,
    hooks: Front,
    rpcs: Front,
    first_slot: DateTime<Utc>,
    // Last: what runs over it goes first.
    pub(super) installation: Installation,
}

impl Scene {
    /// One process, linked with Cal.com and at rest.
    pub(super) async fn open() -> Self {
        let calcom = Calcom::start(Settings { limits: Limits::none(), ..Settings::default() });
        let calcom = calcom.await.expect("a free port");
        let installation = Installation::new().await;
        let (hooks, rpcs) = (Front::open().await, Front::open().await);
        let server = serve(&installation, &hooks).await;
        let acme = installation.tenant(&server, "acme").await;
        let secret = acme.key(Role::Admin, &[]).await.secret;
        let channel = Endpoint::try_from(rpcs.url()).expect("an address").connect_lazy();
        let admin = TestCaller::new(channel, Some(&secret));
        rpcs.lead_to(&[server.grpc]);
        hooks.lead_to(&[server.http]);
        let premises = furnish(&calcom, &admin).await;
        let integration_id = connect(&calcom, &admin, &premises.host).await;
        let scene = Self {
            calcom,
            admin,
            premises,
            integration_id,
            servers: vec![server],
            hooks,
            rpcs,
            first_slot: desk::in_days(4),
            installation,
        };
        scene.until_idle().await;
        assert_eq!(scene.calcom.webhooks().len(), 2, "a webhook for each event type");
        scene
    }

    /// One more process over the same database.
    pub(super) async fn restart(&mut self) {
        let server = serve(&self.installation, &self.hooks).await;
        self.servers.push(server);
        self.lead();
    }

    /// The oldest process dies.
    pub(super) fn kill(&mut self) {
        self.servers.remove(0).kill();
        self.lead();
    }

    fn lead(&self) {
        self.rpcs.lead_to(&self.servers.iter().map(|server| server.grpc).collect::<Vec<_>>());
        self.hooks.lead_to(&self.servers.iter().map(|server| server.http).collect::<Vec<_>>());
    }

    /// Every request was one that Cal.com allows, no process has panicked, and nothing is left.
    pub(super) async fn close(mut self) {
        self.until_idle().await;
        let dead = "SELECT kind || ' ' || reason FROM outbox WHERE state = 'dead'";
        assert_eq!(self.installation.owner().await.lines(dead).await, [""; 0]);
        check_requests(&self.calcom);
        for server in self.servers.drain(..) {
            let log = server.stop().await;
            assert!(!log.contains("panicked"), "{log}");
        }
    }

    pub(super) fn slot(&self, number: i64) -> DateTime<Utc> {
        self.first_slot + TimeDelta::minutes(30 * number)
    }

    pub(super) async fn patient(&self) -> String {
        let request = proto::CreatePatientRequest {
            email: "erika@example.org".into(),
            ..desk::person("Erika", "Muster")
        };
        desk::add_patient(&self.admin, request).await.patient_id
    }

    /// The appointment's id.
    pub(super) async fn book(&self, patient: &str, start: DateTime<Utc>) -> String {
        let wish = proto::BookAppointmentRequest {
            service_id: self.premises.visit.service_id.clone(),
            ..desk::slot(patient, &self.premises.practitioner_id, start)
        };
        desk::book(&self.admin, wish).await.expect("booked").appointment_id
    }

    pub(super) async fn reschedule(&self, id: &str, start: DateTime<Utc>) {
        let request = RescheduleAppointmentRequest {
            appointment_id: id.into(),
            start_time: Some(desk::timestamp(start)),
            ..Default::default()
        };
        self.admin.appointments().reschedule_appointment(request).await.expect("moved");
    }

    pub(super) async fn cancel(&self, id: &str) {
        desk::cancel(&self.admin, id).await;
    }

    pub(super) async fn appointment(&self, id: &str) -> proto::Appointment {
        desk::appointment(&self.admin, id).await
    }

    pub(super) async fn until_synced(&self, id: &str) {
        let synced = async || {
            let sync = self.appointment(id).await.provider_sync.unwrap_or_default();
            assert_ne!(sync.state(), ProviderSyncState::Review, "{sync:?}");
            sync.state() == ProviderSyncState::Synced
        };
        wait_until("Cal.com has what stands here", PATIENCE, synced).await;
    }

    pub(super) async fn until_idle(&self) {
        let owner = self.installation.owner().await;
        let left = "SELECT count(*) FROM outbox WHERE state = 'pending'";
        wait_until("nothing is left to do", PATIENCE, async || {
            self.calcom.quiet().await;
            owner.value(left).await == "0"
        })
        .await;
    }

    /// Requests of this kind that Cal.com has seen.
    pub(super) fn asked(&self, operation: Operation) -> usize {
        self.count(|request| request.operation == Some(operation))
    }

    /// Reads of bookings.
    pub(super) fn looks(&self) -> usize {
        self.asked(Operation::ListBookings) + self.asked(Operation::GetBooking)
    }

    fn count(&self, is_one: impl Fn(&Recorded) -> bool) -> usize {
        self.calcom.requests().iter().filter(|request| is_one(request)).count()
    }
}

async fn serve(installation: &Installation, hooks: &Front) -> Server {
    let public_url = format!("--public-url={}", hooks.url());
    let lease = format!("--worker-lease={LEASE_S}s");
    installation.serve(&[&public_url, "--egress-allow=127.0.0.1", &lease]).await
}
