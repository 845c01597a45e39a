//! Somebody else's integration in every step of an onboarding.

use stellwerk::proto::*;

use super::{Case, Records, case};

pub(super) fn all(theirs: &Records) -> Vec<Case> {
    let (field, missing, id) = ("integration_id", "INTEGRATION_NOT_FOUND", &theirs.integration);
    vec![
        case("OnboardingService/GetOnboarding", field, id, missing, |integration_id| GetOnboardingRequest {
            integration_id,
        }),
        case("OnboardingService/ListWorkspaces", field, id, missing, |integration_id| {
            ListWorkspacesRequest { integration_id, ..Default::default() }
        }),
        case("OnboardingService/SelectWorkspace", field, id, missing, |integration_id| {
            SelectWorkspaceRequest { integration_id, workspace_gid: "1".into(), ..Default::default() }
        }),
        case("OnboardingService/ListCustomFields", field, id, missing, |integration_id| {
            ListCustomFieldsRequest { integration_id, ..Default::default() }
        }),
        case("OnboardingService/SaveFieldMapping", field, id, missing, |integration_id| {
            let field_mapping = Some(FieldMapping { area_field_gid: "1".into(), ..Default::default() });
            SaveFieldMappingRequest { integration_id, field_mapping, ..Default::default() }
        }),
        case("OnboardingService/PreviewFieldMapping", field, id, missing, |integration_id| {
            PreviewFieldMappingRequest { integration_id, ..Default::default() }
        }),
        case("OnboardingService/StartInitialSync", field, id, missing, |integration_id| {
            StartInitialSyncRequest { integration_id, ..Default::default() }
        }),
        case("OnboardingService/ActivateWebhooks", field, id, missing, |integration_id| {
            ActivateWebhooksRequest { integration_id, ..Default::default() }
        }),
    ]
}
