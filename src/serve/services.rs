//! Our services; each one is added here and nowhere else.

use tonic::service::Routes;

use crate::{
    app::App,
    config::LimitConfig,
    gate::Places,
    grpc::{
        AccessApi, AlertApi, AppointmentApi, IntegrationApi, OnboardingApi, PatientApi, PlanningApi,
        PrivacyApi, ReviewApi, SyncLogApi, WebhookApi, caller::Authenticate, streams::Streams,
    },
    proto::{
        access_service_server::AccessServiceServer, alert_service_server::AlertServiceServer,
        appointment_service_server::AppointmentServiceServer,
        integration_service_server::IntegrationServiceServer,
        onboarding_service_server::OnboardingServiceServer, patient_service_server::PatientServiceServer,
        planning_service_server::PlanningServiceServer, privacy_service_server::PrivacyServiceServer,
        review_service_server::ReviewServiceServer, sync_log_service_server::SyncLogServiceServer,
        webhook_service_server::WebhookServiceServer,
    },
    telemetry::metrics::OPEN_CALLS,
};

/// All of them, behind the one check of who is calling.
pub fn services(app: &App, limits: &LimitConfig) -> Routes {
    let domain = || app.domain.clone();
    let bytes = limits.max_message_bytes as usize;
    let streams = Streams::new(limits.max_concurrent_streams, limits.max_stream_age);
    let services = Routes::default()
        .add_service(
            AccessServiceServer::new(AccessApi::new(domain(), &app.rules)).max_decoding_message_size(bytes),
        )
        .add_service(AlertServiceServer::new(AlertApi::new(domain())).max_decoding_message_size(bytes))
        .add_service(
            AppointmentServiceServer::new(AppointmentApi::new(domain(), streams.clone()))
                .max_decoding_message_size(bytes),
        )
        .add_service(
            IntegrationServiceServer::new(IntegrationApi::new(domain(), streams.clone()))
                .max_decoding_message_size(bytes),
        )
        .add_service(
            OnboardingServiceServer::new(OnboardingApi::new(domain())).max_decoding_message_size(bytes),
        )
        .add_service(PatientServiceServer::new(PatientApi::new(domain())).max_decoding_message_size(bytes))
        .add_service(PlanningServiceServer::new(PlanningApi::new(domain())).max_decoding_message_size(bytes))
        .add_service(
            PrivacyServiceServer::new(PrivacyApi::new(domain(), app.trusted_proxies.clone()))
                .max_decoding_message_size(bytes),
        )
        .add_service(ReviewServiceServer::new(ReviewApi::new(domain())).max_decoding_message_size(bytes))
        .add_service(
            SyncLogServiceServer::new(SyncLogApi::new(domain(), streams)).max_decoding_message_size(bytes),
        )
        .add_service(WebhookServiceServer::new(WebhookApi::new(domain())).max_decoding_message_size(bytes));
    let places = Places::new(limits.max_concurrent_requests, OPEN_CALLS);
    let authenticate =
        Authenticate::new(app.rules.clone(), app.domain.store.clone(), app.issuers.clone(), places);
    services.into_axum_router().layer(authenticate).into()
}
