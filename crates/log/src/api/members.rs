//! Members of consumer groups: joining, syncing, staying, leaving.

use std::time::Duration;

use kafka_protocol::error::ResponseError;
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::messages::leave_group_response::{LeaveGroupResponse, MemberResponse};
use kafka_protocol::messages::{
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, LeaveGroupRequest, ResponseKind,
    SyncGroupRequest, SyncGroupResponse,
};
use kafka_protocol::protocol::StrBytes;

use super::{Answer, Client, client_id, later, now, text};
use crate::broker::Broker;
use crate::groups::group::{Join, JoinReply, Refusal, SyncReply};
use crate::groups::member::{Joined, Protocol, Synced};
use crate::net::Head;

/// From here on, clients without an id come back with the one they are given.
const ID_REQUIRED: i16 = 4;
/// Bytes a member may say about itself, and a leader about all. They are kept in memory.
const MAX_METADATA: usize = 256 * 1024;
/// From here on, a leader may be told that nothing needs to be assigned.
const SKIPS_ASSIGNMENT: i16 = 9;

pub(super) fn code(refusal: Refusal) -> i16 {
    match refusal {
        Refusal::UnknownMember => ResponseError::UnknownMemberId,
        Refusal::IllegalGeneration => ResponseError::IllegalGeneration,
        Refusal::RebalanceInProgress => ResponseError::RebalanceInProgress,
        Refusal::InconsistentProtocol => ResponseError::InconsistentGroupProtocol,
        Refusal::FencedInstance => ResponseError::FencedInstanceId,
        Refusal::MemberIdRequired => ResponseError::MemberIdRequired,
        Refusal::GroupFull => ResponseError::GroupMaxSizeReached,
    }
    .code()
}

fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}

pub(super) fn join(client: &Client, head: &Head, request: JoinGroupRequest) -> Answer {
    let version = head.version;
    let coordinator = &client.broker.coordinator;
    let session_timeout = millis(request.session_timeout_ms);
    if request.group_id.is_empty() {
        let error = ResponseError::InvalidGroupId.code();
        return now(not_joined(version, error, request.member_id));
    }
    if !coordinator.allows_session_timeout(session_timeout) {
        let error = ResponseError::InvalidSessionTimeout.code();
        return now(not_joined(version, error, request.member_id));
    }
    let said: usize = request.protocols.iter().map(|p| p.metadata.len()).sum();
    if said > MAX_METADATA {
        let error = ResponseError::InvalidRequest.code();
        return now(not_joined(version, error, request.member_id));
    }
    let rebalance_timeout = match request.rebalance_timeout_ms {
        ms if ms > 0 => millis(ms),
        _ => session_timeout,
    };
    let join = Join {
        member_id: request.member_id.to_string(),
        instance_id: request.group_instance_id.as_ref().map(|i| i.to_string()),
        client_id: client_id(head),
        client_host: format!("/{}", client.peer.ip()),
        session_timeout,
        rebalance_timeout,
        protocol_type: request.protocol_type.to_string(),
        protocols: request
            .protocols
            .into_iter()
            .map(|p| Protocol {
                name: p.name.to_string(),
                // Copied, so that a small group does not hold on to a large request.
                metadata: bytes::Bytes::copy_from_slice(&p.metadata),
            })
            .collect(),
        needs_known_id: version >= ID_REQUIRED,
        can_skip_assignment: version >= SKIPS_ASSIGNMENT,
    };
    match coordinator.join(&request.group_id, join) {
        JoinReply::Now(joined) => now(joined_response(joined)),
        JoinReply::No(refusal, id) => now(not_joined(version, code(refusal), text(id))),
        JoinReply::Later(receiver) => {
            let member_id = request.member_id;
            later(async move {
                match receiver.await {
                    Ok(Ok(joined)) => joined_response(joined),
                    Ok(Err(refusal)) => not_joined(version, code(refusal), member_id),
                    // The same member asked again elsewhere.
                    Err(_) => not_joined(version, ResponseError::UnknownMemberId.code(), member_id),
                }
            })
        }
    }
}

fn not_joined(version: i16, error_code: i16, member_id: StrBytes) -> ResponseKind {
    // Before version 7 the protocol's name cannot be left out.
    let protocol = (version < 7).then(StrBytes::default);
    ResponseKind::JoinGroup(
        JoinGroupResponse::default()
            .with_error_code(error_code)
            .with_generation_id(-1)
            .with_protocol_name(protocol)
            .with_member_id(member_id),
    )
}

fn joined_response(joined: Joined) -> ResponseKind {
    let members = joined
        .members
        .into_iter()
        .map(|(id, instance, metadata)| {
            JoinGroupResponseMember::default()
                .with_member_id(text(id))
                .with_group_instance_id(instance.map(text))
                .with_metadata(metadata)
        })
        .collect();
    ResponseKind::JoinGroup(
        JoinGroupResponse::default()
            .with_generation_id(joined.generation)
            .with_protocol_type(Some(text(joined.protocol_type)))
            .with_protocol_name(Some(text(joined.protocol)))
            .with_leader(text(joined.leader))
            .with_skip_assignment(joined.skip_assignment)
            .with_member_id(text(joined.member_id))
            .with_members(members),
    )
}

pub(super) fn sync(broker: &Broker, request: SyncGroupRequest) -> Answer {
    let said: usize = request.assignments.iter().map(|a| a.assignment.len()).sum();
    if said > MAX_METADATA * 4 {
        return now(not_synced(ResponseError::InvalidRequest.code()));
    }
    let assignments = request
        .assignments
        .into_iter()
        .map(|a| {
            let assignment = bytes::Bytes::copy_from_slice(&a.assignment);
            (a.member_id.to_string(), assignment)
        })
        .collect();
    let protocol = match (&request.protocol_type, &request.protocol_name) {
        (Some(kind), Some(name)) => Some((kind.as_str(), name.as_str())),
        _ => None,
    };
    let reply = broker.coordinator.sync_group(
        &request.group_id,
        &request.member_id,
        request.group_instance_id.as_deref(),
        request.generation_id,
        protocol,
        assignments,
    );
    match reply {
        SyncReply::Now(synced) => now(synced_response(synced)),
        SyncReply::No(refusal) => now(not_synced(code(refusal))),
        SyncReply::Later(receiver) => later(async move {
            match receiver.await {
                Ok(Ok(synced)) => synced_response(synced),
                Ok(Err(refusal)) => not_synced(code(refusal)),
                Err(_) => not_synced(ResponseError::RebalanceInProgress.code()),
            }
        }),
    }
}

fn not_synced(error_code: i16) -> ResponseKind {
    ResponseKind::SyncGroup(SyncGroupResponse::default().with_error_code(error_code))
}

fn synced_response(synced: Synced) -> ResponseKind {
    ResponseKind::SyncGroup(
        SyncGroupResponse::default()
            .with_protocol_type(Some(text(synced.protocol_type)))
            .with_protocol_name(Some(text(synced.protocol)))
            .with_assignment(synced.assignment),
    )
}

pub(super) fn heartbeat(broker: &Broker, request: &HeartbeatRequest) -> ResponseKind {
    let alive = broker.coordinator.heartbeat(
        &request.group_id,
        &request.member_id,
        request.group_instance_id.as_deref(),
        request.generation_id,
    );
    let error_code = alive.err().map_or(0, code);
    ResponseKind::Heartbeat(HeartbeatResponse::default().with_error_code(error_code))
}

pub(super) fn leave(broker: &Broker, request: LeaveGroupRequest, version: i16) -> ResponseKind {
    let leave = |id: &str, instance: Option<&str>| {
        let left = broker.coordinator.leave(&request.group_id, id, instance);
        left.err().map_or(0, code)
    };
    if version < 3 {
        let error_code = leave(&request.member_id, None);
        return ResponseKind::LeaveGroup(LeaveGroupResponse::default().with_error_code(error_code));
    }
    let members = request
        .members
        .iter()
        .map(|member| {
            MemberResponse::default()
                .with_error_code(leave(
                    &member.member_id,
                    member.group_instance_id.as_deref(),
                ))
                .with_member_id(member.member_id.clone())
                .with_group_instance_id(member.group_instance_id.clone())
        })
        .collect();
    ResponseKind::LeaveGroup(LeaveGroupResponse::default().with_members(members))
}
