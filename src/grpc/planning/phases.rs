//! Phases.

use chrono::Utc;
use rust_decimal::Decimal;
use tonic::{Request, Response, Status};

use super::{convert::optional_date, words};
use crate::{
    domain::{
        Domain,
        planning::{
            queries,
            update::{self, Changes},
        },
    },
    error::{Error, Result},
    grpc::{checked, id, key, mask::Mask, optional_id, paging},
    proto::{
        GetPhaseHistoryRequest, GetPhaseHistoryResponse, GetPhaseRequest, GetPhaseResponse,
        ListPhasesRequest, ListPhasesResponse, UpdatePhaseRequest, UpdatePhaseResponse,
    },
    store::planning::phase::Filter,
};

pub(super) async fn list(
    domain: &Domain,
    request: Request<ListPhasesRequest>,
) -> Result<Response<ListPhasesResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let filter = Filter {
        integration: optional_id("integration_id", &request.integration_id)?,
        project: optional_id("project_id", &request.project_id)?,
        date_from: optional_date("date_from", &request.date_from)?,
        date_until: optional_date("date_until", &request.date_until)?,
        area: words::area(request.area()),
        without_area: request.without_area,
        assignee: optional_id("assignee_id", &request.assignee_id)?,
        practitioner: optional_id("practitioner_id", &request.practitioner_id)?,
        provider_sync: words::provider_sync(request.provider_sync()),
        presence: words::presence(request.presence()),
        open_only: request.open_only,
    };
    let paged = queries::list_phases(domain, &caller, &filter, &page).await?;
    Ok(Response::new(ListPhasesResponse {
        next_page_token: tokens.next(paged.next)?,
        phases: paged.rows.into_iter().map(Into::into).collect(),
    }))
}

pub(super) async fn get(
    domain: &Domain,
    request: Request<GetPhaseRequest>,
) -> Result<Response<GetPhaseResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (phase, times) = queries::get_phase(domain, &caller, id("phase_id", &request.phase_id)?).await?;
    let times = times.into_iter().map(Into::into).collect();
    Ok(Response::new(GetPhaseResponse { phase: Some(phase.into()), times }))
}

pub(super) async fn update(
    domain: &Domain,
    request: Request<UpdatePhaseRequest>,
) -> Result<Response<UpdatePhaseResponse>, Status> {
    let (caller, request) = checked(request)?;
    let key = key(&request.idempotency_key, &request);
    let of = id("phase_id", &request.phase_id)?;
    let changes = changes(&request)?;
    let phase = update::update(domain, &caller, &key, of, &changes, Utc::now()).await?;
    Ok(Response::new(UpdatePhaseResponse { phase: Some(phase.into()) }))
}

pub(super) async fn history(
    domain: &Domain,
    request: Request<GetPhaseHistoryRequest>,
) -> Result<Response<GetPhaseHistoryResponse>, Status> {
    let (caller, request) = checked(request)?;
    let (tokens, page) = paging(domain, &caller, &request)?;
    let paged = queries::history(domain, &caller, id("phase_id", &request.phase_id)?, &page).await?;
    Ok(Response::new(GetPhaseHistoryResponse {
        next_page_token: tokens.next(paged.next)?,
        changes: paged.rows.into_iter().map(Into::into).collect(),
    }))
}

/// What an update changes: the fields its mask names, or without a mask those that are set.
fn changes(request: &UpdatePhaseRequest) -> Result<Changes> {
    const FIELDS: [&str; 4] = ["start_date", "due_date", "planned_hours", "area"];
    let mask = Mask::of(request.update_mask.as_ref(), &FIELDS)?;
    let date = |field, text: &str| {
        mask.names(field, !text.is_empty()).then(|| optional_date(field, text)).transpose()
    };
    let area = words::area(request.area());
    Ok(Changes {
        start_date: date("start_date", &request.start_date)?,
        due_date: date("due_date", &request.due_date)?,
        planned_hours: mask
            .names("planned_hours", !request.planned_hours.is_empty())
            .then(|| hours(&request.planned_hours))
            .transpose()?,
        area: mask.names("area", area.is_some()).then_some(area),
    })
}

fn hours(text: &str) -> Result<Option<Decimal>> {
    if text.is_empty() {
        return Ok(None);
    }
    let hours = Decimal::from_str_exact(text);
    hours.map(Some).map_err(|_| Error::invalid("planned_hours", "must be a decimal number such as 37.5"))
}

#[cfg(test)]
mod tests {
    use prost_types::FieldMask;

    use super::*;
    use crate::words::Area;

    fn request(paths: Option<&[&str]>) -> UpdatePhaseRequest {
        let paths = paths.map(|paths| paths.iter().map(ToString::to_string).collect());
        UpdatePhaseRequest {
            update_mask: paths.map(|paths| FieldMask { paths }),
            start_date: "2026-03-02".into(),
            area: crate::proto::Area::Assembly.into(),
            ..Default::default()
        }
    }

    #[test]
    fn without_a_mask_the_fields_that_are_set_change() {
        let changes = changes(&request(None)).unwrap();

        assert_eq!(changes.start_date.flatten().map(|date| date.to_string()).as_deref(), Some("2026-03-02"));
        assert_eq!((changes.area, changes.due_date), (Some(Some(Area::Assembly)), None));
        assert_eq!(changes.planned_hours, None);
    }

    #[test]
    fn an_empty_value_that_the_mask_names_clears_the_field() {
        let changes = changes(&request(Some(&["due_date", "planned_hours"]))).unwrap();

        assert_eq!((changes.due_date, changes.planned_hours), (Some(None), Some(None)));
        assert_eq!((changes.start_date, changes.area), (None, None));
    }

    #[test]
    fn a_path_that_is_no_field_is_refused() {
        let refused = changes(&request(Some(&["name"]))).err();

        assert!(matches!(&refused, Some(Error::Invalid(v)) if v[0].field == "update_mask"), "{refused:?}");
    }

    #[test]
    fn a_day_that_does_not_exist_is_refused() {
        let request = UpdatePhaseRequest { due_date: "2026-02-30".into(), ..Default::default() };

        let refused = changes(&request).err();

        assert!(matches!(&refused, Some(Error::Invalid(v)) if v[0].field == "due_date"), "{refused:?}");
    }
}
