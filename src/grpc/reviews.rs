//! ReviewService.

use chrono::Utc;
use tonic::{Request, Response, Status};

use super::{
    checked,
    convert::{optional_time, text, timestamp},
    id, key, optional_id, paging,
};
use crate::{
    domain::{
        Domain,
        dead_letter::{self, Which},
        review,
    },
    error::{Error, Result},
    proto::{self, review_service_server::ReviewService},
    store::{
        dead_letter::{DeadLetter, Filter as DeadLetterFilter},
        review_item::{Filter, ReviewItem},
    },
};

mod words;

pub struct ReviewApi {
    domain: Domain,
}

impl ReviewApi {
    pub fn new(domain: Domain) -> Self {
        Self { domain }
    }
}

#[tonic::async_trait]
impl ReviewService for ReviewApi {
    async fn list_review_items(
        &self,
        request: Request<proto::ListReviewItemsRequest>,
    ) -> Result<Response<proto::ListReviewItemsResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = Filter {
            kind: words::kind(request.kind()),
            state: words::state(request.state()),
            integration: optional_id("integration_id", &request.integration_id)?,
            appointment: optional_id("appointment_id", &request.appointment_id)?,
        };
        let paged = review::list(&self.domain, &caller, &filter, &page).await?;
        Ok(Response::new(proto::ListReviewItemsResponse {
            next_page_token: tokens.next(paged.next)?,
            review_items: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn resolve_review_item(
        &self,
        request: Request<proto::ResolveReviewItemRequest>,
    ) -> Result<Response<proto::ResolveReviewItemResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let of = id("review_item_id", &request.review_item_id)?;
        let decision = words::decision(request.resolution())
            .ok_or_else(|| Error::invalid("resolution", "must be one of the item's possible ones"))?;
        let resolved = review::resolve(&self.domain, &caller, &key, of, decision, Utc::now()).await?;
        Ok(Response::new(proto::ResolveReviewItemResponse { review_item: Some(resolved.into()) }))
    }

    async fn list_dead_letters(
        &self,
        request: Request<proto::ListDeadLettersRequest>,
    ) -> Result<Response<proto::ListDeadLettersResponse>, Status> {
        let (caller, request) = checked(request)?;
        let (tokens, page) = paging(&self.domain, &caller, &request)?;
        let filter = filter(request.filter.unwrap_or_default())?;
        let paged = dead_letter::list(&self.domain, &caller, &filter, &page).await?;
        Ok(Response::new(proto::ListDeadLettersResponse {
            next_page_token: tokens.next(paged.next)?,
            dead_letters: paged.rows.into_iter().map(Into::into).collect(),
        }))
    }

    async fn requeue_dead_letters(
        &self,
        request: Request<proto::RequeueDeadLettersRequest>,
    ) -> Result<Response<proto::RequeueDeadLettersResponse>, Status> {
        let (caller, request) = checked(request)?;
        let key = key(&request.idempotency_key, &request);
        let which = match (request.dead_letter_ids, request.filter) {
            (named, None) if !named.is_empty() => {
                Which::Named(named.iter().map(|named| id("dead_letter_ids", named)).collect::<Result<_>>()?)
            }
            (named, Some(found)) if named.is_empty() => Which::Matching(filter(found)?),
            _ => {
                return Err(Error::invalid("dead_letter_ids", "name some, or a filter, and not both").into());
            }
        };
        let requeued_count = dead_letter::requeue(&self.domain, &caller, &key, &which).await?;
        Ok(Response::new(proto::RequeueDeadLettersResponse { requeued_count }))
    }
}

fn filter(wire: proto::DeadLetterFilter) -> Result<DeadLetterFilter> {
    Ok(DeadLetterFilter {
        kind: words::message_kind(wire.kind()),
        integration: optional_id("filter.integration_id", &wire.integration_id)?,
        dead_time_from: optional_time("filter.dead_time_from", wire.dead_time_from)?,
        dead_time_until: optional_time("filter.dead_time_until", wire.dead_time_until)?,
        reason: Some(wire.reason).filter(|reason| !reason.is_empty()),
    })
}

impl From<ReviewItem> for proto::ReviewItem {
    fn from(item: ReviewItem) -> Self {
        let possible = review::possible(&item).iter().map(|one| proto::Resolution::from(*one).into());
        Self {
            possible_resolutions: possible.collect(),
            review_item_id: item.id.to_string(),
            kind: proto::ReviewKind::from(item.kind).into(),
            state: proto::ReviewState::from(item.state).into(),
            integration_id: text(item.integration_id),
            appointment_id: text(item.appointment_id),
            intent_id: text(item.intent_id),
            reason: item.reason,
            resolution: item.resolution.map_or(proto::Resolution::Unspecified, Into::into).into(),
            resolver: item.resolver.unwrap_or_default(),
            open_time: Some(timestamp(item.open_time)),
            resolve_time: item.resolve_time.map(timestamp),
        }
    }
}

impl From<DeadLetter> for proto::DeadLetter {
    fn from(letter: DeadLetter) -> Self {
        Self {
            dead_letter_id: letter.id.to_string(),
            kind: proto::MessageKind::from(letter.kind).into(),
            integration_id: text(letter.integration_id),
            lane: letter.lane,
            reason: letter.reason.unwrap_or_default(),
            attempts: letter.attempts,
            cause: letter.cause,
            create_time: Some(timestamp(letter.create_time)),
            dead_time: Some(timestamp(letter.dead_time)),
        }
    }
}
