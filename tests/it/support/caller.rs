//! Callers: a connection, a credential, and a client per service, so that a test's line says who calls.

use http::uri::PathAndQuery;
use prost::bytes::{Buf, BufMut};
use stellwerk::proto::{
    access_service_client::AccessServiceClient, alert_service_client::AlertServiceClient,
    appointment_service_client::AppointmentServiceClient,
    integration_service_client::IntegrationServiceClient, onboarding_service_client::OnboardingServiceClient,
    patient_service_client::PatientServiceClient, planning_service_client::PlanningServiceClient,
    privacy_service_client::PrivacyServiceClient, review_service_client::ReviewServiceClient,
    sync_log_service_client::SyncLogServiceClient, webhook_service_client::WebhookServiceClient,
};
use tonic::{
    Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    metadata::{Ascii, MetadataValue},
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use super::log_book;

/// A connection that sends its caller's credential along.
pub(crate) type Connection = InterceptedService<Channel, Bearer>;

/// Somebody who calls.
#[derive(Clone)]
pub(crate) struct TestCaller {
    channel: Channel,
    bearer: Bearer,
}

impl TestCaller {
    /// `None` calls as nobody.
    pub(crate) fn new(channel: Channel, credential: Option<&str>) -> Self {
        credential.into_iter().for_each(log_book::secret);
        let header = |text| format!("Bearer {text}").parse().expect("a credential fits into a header");
        Self { channel, bearer: Bearer(credential.map(header)) }
    }

    /// The same caller at another instance.
    pub(crate) fn at(&self, channel: Channel) -> Self {
        Self { channel, bearer: self.bearer.clone() }
    }

    pub(crate) fn patients(&self) -> PatientServiceClient<Connection> {
        PatientServiceClient::new(self.connection())
    }

    pub(crate) fn appointments(&self) -> AppointmentServiceClient<Connection> {
        AppointmentServiceClient::new(self.connection())
    }

    pub(crate) fn integrations(&self) -> IntegrationServiceClient<Connection> {
        IntegrationServiceClient::new(self.connection())
    }

    pub(crate) fn onboarding(&self) -> OnboardingServiceClient<Connection> {
        OnboardingServiceClient::new(self.connection())
    }

    pub(crate) fn sync_logs(&self) -> SyncLogServiceClient<Connection> {
        SyncLogServiceClient::new(self.connection())
    }

    pub(crate) fn privacy(&self) -> PrivacyServiceClient<Connection> {
        PrivacyServiceClient::new(self.connection())
    }

    pub(crate) fn reviews(&self) -> ReviewServiceClient<Connection> {
        ReviewServiceClient::new(self.connection())
    }

    pub(crate) fn planning(&self) -> PlanningServiceClient<Connection> {
        PlanningServiceClient::new(self.connection())
    }

    pub(crate) fn alerts(&self) -> AlertServiceClient<Connection> {
        AlertServiceClient::new(self.connection())
    }

    pub(crate) fn webhooks(&self) -> WebhookServiceClient<Connection> {
        WebhookServiceClient::new(self.connection())
    }

    pub(crate) fn access(&self) -> AccessServiceClient<Connection> {
        AccessServiceClient::new(self.connection())
    }

    /// Calls an rpc by its path with an encoded request; the answer is as it was sent,
    /// of a stream its first message.
    pub(crate) async fn call(&self, path: &str, request: Vec<u8>) -> Result<Vec<u8>, Status> {
        let path = PathAndQuery::try_from(path).expect("a path");
        let mut grpc = tonic::client::Grpc::new(self.connection());
        grpc.ready().await.map_err(|error| Status::unknown(error.to_string()))?;
        let mut answers = grpc.server_streaming(Request::new(request), path, Raw).await?.into_inner();
        answers.message().await?.ok_or_else(|| Status::unknown("no message"))
    }

    fn connection(&self) -> Connection {
        InterceptedService::new(self.channel.clone(), self.bearer.clone())
    }
}

/// Adds `authorization: Bearer …`, or nothing.
#[derive(Clone)]
pub(crate) struct Bearer(Option<MetadataValue<Ascii>>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(header) = &self.0 {
            request.metadata_mut().insert("authorization", header.clone());
        }
        Ok(request)
    }
}

/// Messages as bytes.
struct Raw;

impl Codec for Raw {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let mut bytes = vec![0; message.remaining()];
        message.copy_to_slice(&mut bytes);
        Ok(Some(bytes))
    }
}
