//! The same for consents.

use stellwerk::proto::*;

use super::{Case, NOTHING, Records, case};

pub(super) fn all(theirs: &Records, own: &Records) -> Vec<Case> {
    let grant = |integration_id: &str, patient_id: &str| GrantConsentRequest {
        integration_id: integration_id.into(),
        patient_id: patient_id.into(),
        scopes: vec![ConsentScope::Appointments.into()],
        text_version: "v1".into(),
        ..Default::default()
    };
    vec![
        case(
            "PrivacyService/GrantConsent",
            "integration_id",
            &theirs.integration,
            "INTEGRATION_NOT_FOUND",
            |id| grant(&id, ""),
        ),
        case("PrivacyService/GrantConsent", "patient_id", &theirs.patient, "PATIENT_NOT_FOUND", |id| {
            grant(&own.integration, &id)
        }),
        case(
            "PrivacyService/RevokeConsent",
            "consent_id",
            &theirs.consent,
            "CONSENT_NOT_FOUND",
            |consent_id| RevokeConsentRequest { consent_id, ..Default::default() },
        ),
        case(
            "PrivacyService/ListConsents",
            "integration_id",
            &theirs.integration,
            NOTHING,
            |integration_id| ListConsentsRequest { integration_id, ..Default::default() },
        ),
        case("PrivacyService/ListConsents", "patient_id", &theirs.patient, NOTHING, |patient_id| {
            ListConsentsRequest { patient_id, ..Default::default() }
        }),
    ]
}
