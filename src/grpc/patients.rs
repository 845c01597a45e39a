//! PatientService.

use chrono::NaiveDate;
use tonic::{Request, Response, Status};

use super::{checked, convert, id, key, mask::Mask, optional_id, paging, patient_imports};
use crate::{
    domain::{
        Domain,
        matching::Reason,
        patient::{self, Changes, Newcomer, Shown},
        patient_link::{self, Decision, ShownCandidate},
    },
    error::{Error, Result},
    fold,
    proto::{self, patient_service_server::PatientService},
    store::{patient::Filter, patient_link::PatientLink},
    words::{CandidateState, LinkOrigin},
};

pub struct PatientApi {
    domain: Domain,
}

impl PatientApi {
    pub fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

#[tonic::async_trait]
impl PatientService for PatientApi {
    async fn create_patient(
        &self,
        request: Request<proto::CreatePatientRequest>,
    ) -> Result<Response<proto::CreatePatientResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let practitioner = optional_id("practitioner_id", &request.practitioner_id)?;
        let newcomer = Newcomer {
            birth_date: birth_date(&request.birth_date)?,
            first_name: trimmed(&request.first_name),
            last_name: required("last_name", &request.last_name)?,
            email: filled(&request.email),
            phone: filled(&request.phone),
        };
        let shown = patient::create(&self.domain, &caller, &key, newcomer, practitioner).await?;
        Ok(Response::new(proto::CreatePatientResponse { patient: Some(shown.into()) }))
    }

    async fn get_patient(
        &self,
        request: Request<proto::GetPatientRequest>,
    ) -> Result<Response<proto::GetPatientResponse>, Status> {
        let (caller, request) = checked(request)?;
        let shown = patient::get(&self.domain, &caller, id("patient_id", &request.patient_id)?).await?;
        Ok(Response::new(proto::GetPatientResponse { patient: Some(shown.into()) }))
    }

    async fn list_patients(
        &self,
        request: Request<proto::ListPatientsRequest>,
    ) -> Result<Response<proto::ListPatientsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = Filter {
            last_name_prefix: filled(&request.last_name_prefix),
            email: fold::email(&request.email),
            practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        };
        let paged = patient::list(&self.domain, &caller, filter, &page).await?;
        Ok(Response::new(proto::ListPatientsResponse {
            next_page_token: tokens.next(paged.next)?,
            patients: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn update_patient(
        &self,
        request: Request<proto::UpdatePatientRequest>,
    ) -> Result<Response<proto::UpdatePatientResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("patient_id", &request.patient_id)?;
        let changes = changes(&request)?;
        let shown = patient::update(&self.domain, &caller, &key, of, changes).await?;
        Ok(Response::new(proto::UpdatePatientResponse { patient: Some(shown.into()) }))
    }

    async fn delete_patient(
        &self,
        request: Request<proto::DeletePatientRequest>,
    ) -> Result<Response<proto::DeletePatientResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        patient::delete(&self.domain, &caller, &key, id("patient_id", &request.patient_id)?).await?;
        Ok(Response::new(proto::DeletePatientResponse {}))
    }

    async fn start_patient_import(
        &self,
        request: Request<proto::StartPatientImportRequest>,
    ) -> Result<Response<proto::StartPatientImportResponse>, Status> {
        patient_imports::start(&self.domain, request).await
    }

    async fn upload_patient_import_chunk(
        &self,
        request: Request<proto::UploadPatientImportChunkRequest>,
    ) -> Result<Response<proto::UploadPatientImportChunkResponse>, Status> {
        patient_imports::upload(&self.domain, request).await
    }

    async fn finish_patient_import(
        &self,
        request: Request<proto::FinishPatientImportRequest>,
    ) -> Result<Response<proto::FinishPatientImportResponse>, Status> {
        patient_imports::finish(&self.domain, request).await
    }

    async fn get_patient_import(
        &self,
        request: Request<proto::GetPatientImportRequest>,
    ) -> Result<Response<proto::GetPatientImportResponse>, Status> {
        patient_imports::get(&self.domain, request).await
    }

    async fn get_booking_link(
        &self,
        request: Request<proto::GetBookingLinkRequest>,
    ) -> Result<Response<proto::GetBookingLinkResponse>, Status> {
        let (caller, request) = checked(request)?;
        let url =
            patient::booking_link(&self.domain, &caller, id("patient_id", &request.patient_id)?).await?;
        Ok(Response::new(proto::GetBookingLinkResponse { url }))
    }

    async fn list_link_candidates(
        &self,
        request: Request<proto::ListLinkCandidatesRequest>,
    ) -> Result<Response<proto::ListLinkCandidatesResponse>, Status> {
        let (caller, request) = checked(request)?;
        let state = match request.state() {
            proto::LinkCandidateState::Unspecified | proto::LinkCandidateState::Open => CandidateState::Open,
            proto::LinkCandidateState::Merged => CandidateState::Merged,
            proto::LinkCandidateState::KeptApart => CandidateState::KeptApart,
            proto::LinkCandidateState::Undone => CandidateState::Undone,
        };
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let paged = patient_link::list_candidates(&self.domain, &caller, state, &page).await?;
        Ok(Response::new(proto::ListLinkCandidatesResponse {
            next_page_token: tokens.next(paged.next)?,
            link_candidates: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn resolve_link_candidate(
        &self,
        request: Request<proto::ResolveLinkCandidateRequest>,
    ) -> Result<Response<proto::ResolveLinkCandidateResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let candidate = id("link_candidate_id", &request.link_candidate_id)?;
        let decision = match request.decision() {
            proto::LinkDecision::Merge => Decision::Merge,
            proto::LinkDecision::KeepApart => Decision::KeepApart,
            proto::LinkDecision::Unspecified => return Err(Error::invalid("decision", "is required").into()),
        };
        let shown = patient_link::resolve_candidate(&self.domain, &caller, &key, candidate, decision).await?;
        Ok(Response::new(proto::ResolveLinkCandidateResponse { link_candidate: Some(shown.into()) }))
    }

    async fn unlink_patient(
        &self,
        request: Request<proto::UnlinkPatientRequest>,
    ) -> Result<Response<proto::UnlinkPatientResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let from = id("patient_id", &request.patient_id)?;
        let link = id("patient_link_id", &request.patient_link_id)?;
        let (kept, unlinked) = patient_link::unlink(&self.domain, &caller, &key, from, link).await?;
        Ok(Response::new(proto::UnlinkPatientResponse {
            patient: Some(kept.into()),
            unlinked_patient: Some(unlinked.into()),
        }))
    }
}

/// What an update changes: the fields its mask names, or without a mask those that are set.
fn changes(request: &proto::UpdatePatientRequest) -> Result<Changes> {
    const FIELDS: [&str; 6] = ["first_name", "last_name", "email", "phone", "birth_date", "practitioner_id"];
    let mask = Mask::of(request.update_mask.as_ref(), &FIELDS)?;
    let of = |field, value: &str| mask.names(field, !value.is_empty()).then(|| value.to_string());
    Ok(Changes {
        first_name: of("first_name", &request.first_name).map(|name| trimmed(&name)),
        last_name: of("last_name", &request.last_name)
            .map(|name| required("last_name", &name))
            .transpose()?,
        email: of("email", &request.email).map(|email| filled(&email)),
        phone: of("phone", &request.phone).map(|phone| filled(&phone)),
        birth_date: of("birth_date", &request.birth_date).map(|date| birth_date(&date)).transpose()?,
        practitioner_id: of("practitioner_id", &request.practitioner_id)
            .map(|id| optional_id("practitioner_id", &id))
            .transpose()?,
    })
}

fn birth_date(text: &str) -> Result<Option<NaiveDate>> {
    if text.is_empty() {
        return Ok(None);
    }
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d");
    date.map(Some).map_err(|_| Error::invalid("birth_date", "must be a date that exists, as YYYY-MM-DD"))
}

fn trimmed(text: &str) -> String {
    text.replace('\0', "").trim().to_string()
}

fn filled(text: &str) -> Option<String> {
    Some(trimmed(text)).filter(|text| !text.is_empty())
}

fn required(field: &str, text: &str) -> Result<String> {
    let visible = filled(text).filter(|text| !fold::name(text).is_empty());
    visible.ok_or_else(|| Error::invalid(field, "must not be blank"))
}

impl From<Shown> for proto::Patient {
    fn from(shown: Shown) -> Self {
        let patient = shown.patient;
        Self {
            patient_id: patient.id.to_string(),
            first_name: patient.first_name,
            last_name: patient.last_name,
            email: patient.email.unwrap_or_default(),
            booking_email: patient.booking_email.unwrap_or_default(),
            phone: patient.phone.unwrap_or_default(),
            birth_date: convert::text(patient.birth_date),
            practitioner_id: convert::text(patient.practitioner_id),
            origin: proto::SyncOrigin::from(patient.origin).into(),
            links: shown.links.into_iter().map(Into::into).collect(),
            possible_twin: shown.possible_twin,
            merged_into_patient_id: convert::text(patient.merged_into_id),
            create_time: Some(convert::timestamp(patient.create_time)),
            update_time: Some(convert::timestamp(patient.update_time)),
        }
    }
}

impl From<PatientLink> for proto::PatientLink {
    fn from(link: PatientLink) -> Self {
        let origin = match link.origin {
            Some(LinkOrigin::Created) => proto::PatientLinkOrigin::Created,
            Some(LinkOrigin::Email) => proto::PatientLinkOrigin::Email,
            Some(LinkOrigin::Merge) => proto::PatientLinkOrigin::Merge,
            Some(LinkOrigin::Unlink) => proto::PatientLinkOrigin::Unlink,
            Some(LinkOrigin::Import) => proto::PatientLinkOrigin::Import,
            None => proto::PatientLinkOrigin::Unspecified,
        };
        Self {
            patient_link_id: link.id.to_string(),
            integration_id: link.integration_id.to_string(),
            external_id: link.external_id,
            origin: origin.into(),
            link_time: Some(convert::timestamp(link.link_time)),
        }
    }
}

impl From<ShownCandidate> for proto::LinkCandidate {
    fn from(shown: ShownCandidate) -> Self {
        let candidate = shown.candidate;
        let state = match candidate.state {
            CandidateState::Open => proto::LinkCandidateState::Open,
            CandidateState::Merged => proto::LinkCandidateState::Merged,
            CandidateState::KeptApart => proto::LinkCandidateState::KeptApart,
            CandidateState::Undone => proto::LinkCandidateState::Undone,
        };
        let reason = |text: &String| {
            Reason::parse(text).map(|reason| match reason {
                Reason::SameBirthDate => proto::LikenessReason::SameBirthDate.into(),
                Reason::SimilarName => proto::LikenessReason::SimilarName.into(),
                Reason::SamePhone => proto::LikenessReason::SamePhone.into(),
                Reason::SameEmail => proto::LikenessReason::SameEmail.into(),
            })
        };
        Self {
            link_candidate_id: candidate.id.to_string(),
            patient: Some(shown.patient.into()),
            known_patient: Some(shown.known_patient.into()),
            score: candidate.score.into(),
            reasons: candidate.reasons.iter().filter_map(reason).collect(),
            state: state.into(),
            create_time: Some(convert::timestamp(candidate.create_time)),
            decide_time: candidate.decide_time.map(convert::timestamp),
        }
    }
}
