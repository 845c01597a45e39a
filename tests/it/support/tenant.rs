//! A tenant, and somebody of every role in it. All of it is made through the rpcs.

use std::{net::SocketAddr, ops::Deref};

use stellwerk::proto::{
    CreateApiKeyRequest, CreatePatientRequest, CreateTenantRequest, CreateWebhookEndpointRequest,
    LinkSubjectRequest, PutPractitionerRequest, PutServiceRequest, Role, SignatureScheme,
    link_subject_request::Person,
};
use tonic::transport::Channel;
use uuid::Uuid;

use super::{booking_tool::TestBookingTool, caller::TestCaller};

pub(crate) struct TestTenant {
    pub(crate) id: Uuid,
    pub(crate) admin: TestCaller,
    http: SocketAddr,
    channel: Channel,
}

/// A key as its answer showed it.
pub(crate) struct TestKey {
    pub(crate) id: String,
    pub(crate) secret: String,
}

/// A caller who is one of the practice's people.
pub(crate) struct TestPerson {
    pub(crate) caller: TestCaller,
    /// Of the practitioner or patient.
    pub(crate) id: String,
}

impl Deref for TestPerson {
    type Target = TestCaller;
    fn deref(&self) -> &TestCaller {
        &self.caller
    }
}

impl TestTenant {
    pub(crate) async fn make(operator: &TestCaller, http: SocketAddr, channel: Channel, name: &str) -> Self {
        let request = CreateTenantRequest { name: name.into(), ..Default::default() };
        let made = operator.access().create_tenant(request).await.expect("a tenant").into_inner();
        let id = made.tenant.expect("the tenant").tenant_id.parse().expect("a UUID");
        let admin = TestCaller::new(channel.clone(), Some(&made.admin_api_key_secret));
        Self { id, admin, http, channel }
    }

    pub(crate) async fn hr(&self) -> TestCaller {
        self.caller(Role::Hr, &[]).await
    }

    /// Another backend, which may do what the scopes say.
    pub(crate) async fn service(&self, scopes: &[&str]) -> TestCaller {
        self.caller(Role::Service, scopes).await
    }

    /// A practitioner who is linked to a new record of his own.
    pub(crate) async fn practitioner(&self) -> TestPerson {
        let id = self.put_practitioner("Dr. Muster").await;
        self.person(Role::Practitioner, id.clone(), Person::PractitionerId(id)).await
    }

    /// A patient who is linked to a new record of her own.
    pub(crate) async fn patient(&self) -> TestPerson {
        let id = self.create_patient("Erika", "Muster").await;
        self.person(Role::Patient, id.clone(), Person::PatientId(id)).await
    }

    /// Somebody of this role whom nobody has linked to a person.
    pub(crate) async fn caller(&self, role: Role, scopes: &[&str]) -> TestCaller {
        self.bearer(&self.key(role, scopes).await.secret)
    }

    pub(crate) async fn key(&self, role: Role, scopes: &[&str]) -> TestKey {
        let mut request = CreateApiKeyRequest { name: "test".into(), ..Default::default() };
        request.set_role(role);
        request.scopes = scopes.iter().map(ToString::to_string).collect();
        let made = self.admin.access().create_api_key(request).await.expect("a key").into_inner();
        TestKey { id: made.api_key.expect("the key").api_key_id, secret: made.secret }
    }

    pub(crate) fn bearer(&self, credential: &str) -> TestCaller {
        TestCaller::new(self.channel.clone(), Some(credential))
    }

    async fn person(&self, role: Role, id: String, person: Person) -> TestPerson {
        let key = self.key(role, &[]).await;
        self.link_subject("api_key", &key.id, person).await;
        TestPerson { caller: self.bearer(&key.secret), id }
    }

    /// Returns the link's id.
    pub(crate) async fn link_subject(&self, issuer: &str, subject: &str, person: Person) -> String {
        let request = LinkSubjectRequest {
            issuer: issuer.into(),
            subject: subject.into(),
            person: Some(person),
            ..Default::default()
        };
        let linked = self.admin.access().link_subject(request).await.expect("a link").into_inner();
        linked.subject_link.expect("the link").subject_link_id
    }

    /// Returns the practitioner's id.
    pub(crate) async fn put_practitioner(&self, name: &str) -> String {
        // Names are unique in a tenant, and tests want several of the same sort.
        let name = format!("{name} {}", Uuid::now_v7().simple());
        let request = PutPractitionerRequest { name, ..Default::default() };
        let made = self.admin.access().put_practitioner(request).await.expect("a practitioner").into_inner();
        made.practitioner.expect("the practitioner").practitioner_id
    }

    /// A service of half an hour without buffers; returns its id.
    pub(crate) async fn put_service(&self, name: &str) -> String {
        let duration = Some(prost_types::Duration { seconds: 1800, nanos: 0 });
        let request = PutServiceRequest { name: name.into(), duration, ..Default::default() };
        let made = self.admin.access().put_service(request).await.expect("a service").into_inner();
        made.service.expect("the service").service_id
    }

    /// Returns the patient's id.
    pub(crate) async fn create_patient(&self, first_name: &str, last_name: &str) -> String {
        let request = CreatePatientRequest {
            first_name: first_name.into(),
            last_name: last_name.into(),
            ..Default::default()
        };
        let made = self.admin.patients().create_patient(request).await.expect("a patient").into_inner();
        made.patient.expect("the patient").patient_id
    }

    /// A booking tool that knows a new endpoint of this tenant's only integration with one.
    pub(crate) async fn booking_tool(&self, scheme: SignatureScheme) -> TestBookingTool {
        self.booking_tool_of("", scheme).await
    }

    /// The same of this integration.
    pub(crate) async fn booking_tool_of(
        &self,
        integration_id: &str,
        scheme: SignatureScheme,
    ) -> TestBookingTool {
        let mut request = CreateWebhookEndpointRequest {
            provider: "booking".into(),
            integration_id: integration_id.into(),
            name: "test".into(),
            ..Default::default()
        };
        request.set_scheme(scheme);
        let made =
            self.admin.webhooks().create_webhook_endpoint(request).await.expect("an endpoint").into_inner();
        TestBookingTool::new(self.http, scheme, made.webhook_endpoint.expect("the endpoint"), &made.secret)
    }
}
