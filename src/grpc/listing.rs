//! Tokens of lists and watches, bound to who asks, to the rpc and to everything else that it asks for.

use prost::{Message, Name};
use serde::de::DeserializeOwned;

use super::rpc;
use crate::{
    caller::Caller,
    domain::Domain,
    error::Result,
    page::{Page, Tokens},
    proto,
};

/// A request for a page of a list.
pub(super) trait Listing: Message + Name {
    /// How many rows and behind which token: the only fields that may differ from page to page.
    fn place(&self) -> (i32, &str);

    /// The request without them.
    fn whole(&self) -> Self;
}

macro_rules! listings {
    ($($request:ident),+ $(,)?) => {$(
        impl Listing for proto::$request {
            fn place(&self) -> (i32, &str) {
                (self.page_size, &self.page_token)
            }

            fn whole(&self) -> Self {
                let mut whole = self.clone();
                (whole.page_size, whole.page_token) = (0, String::new());
                whole
            }
        }
    )+};
}

listings! {
    GetAppointmentHistoryRequest,
    GetPatientImportRequest,
    GetPhaseHistoryRequest,
    ListAbsencesRequest,
    ListAlertDestinationsRequest,
    ListAlertsRequest,
    ListApiKeysRequest,
    ListAppointmentsRequest,
    ListConflictsRequest,
    ListConsentsRequest,
    ListCredentialChangesRequest,
    ListCustomFieldsRequest,
    ListDeadLettersRequest,
    ListFreeSlotsRequest,
    ListIntegrationsRequest,
    ListLinkCandidatesRequest,
    ListMyAppointmentsRequest,
    ListPatientsRequest,
    ListPhasesRequest,
    ListPractitionersRequest,
    ListProjectsRequest,
    ListProvidersRequest,
    ListReviewItemsRequest,
    ListServicesRequest,
    ListSubjectsRequest,
    ListSyncLogsRequest,
    ListTimeEntriesRequest,
    ListUserMappingsRequest,
    ListWebhookEndpointsRequest,
    ListWebhookEventsRequest,
    ListWorkspacesRequest,
}

/// The page that a request asks for, and the tokens of those that follow. Errors: `PageTokenInvalid`.
pub(super) fn paging<'a, C: DeserializeOwned>(
    domain: &'a Domain,
    caller: &Caller,
    request: &impl Listing,
) -> Result<(Tokens<'a>, Page<C>)> {
    let tokens = tokens(domain, caller, &request.whole());
    let (size, token) = request.place();
    let page = tokens.page(size, token)?;
    Ok((tokens, page))
}

/// Tokens for who calls the rpc of `bound`, a request without what differs from call to call.
pub(super) fn tokens<'a, R: Message + Name>(domain: &'a Domain, caller: &Caller, bound: &R) -> Tokens<'a> {
    Tokens::new(&domain.vault, caller, rpc::<R>(), bound.encode_to_vec())
}
