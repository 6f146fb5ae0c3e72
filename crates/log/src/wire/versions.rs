//! The requests this log answers, and in which versions.

use kafka_protocol::messages::ApiKey;

use super::shape::{self, Field};

pub(crate) struct Api {
    pub key: ApiKey,
    pub min: i16,
    pub max: i16,
    /// From this version on the message is "flexible": compact lengths and tagged fields.
    pub flexible: i16,
    pub request: &'static [Field],
}

const fn api(key: ApiKey, min: i16, max: i16, flexible: i16, request: &'static [Field]) -> Api {
    Api {
        key,
        min,
        max,
        flexible,
        request,
    }
}

pub(crate) const APIS: &[Api] = &[
    api(ApiKey::Produce, 3, 11, 9, shape::PRODUCE),
    api(ApiKey::Fetch, 4, 16, 12, shape::FETCH),
    api(ApiKey::ListOffsets, 1, 7, 6, shape::LIST_OFFSETS),
    api(ApiKey::Metadata, 0, 12, 9, shape::METADATA),
    api(ApiKey::OffsetCommit, 2, 9, 8, shape::OFFSET_COMMIT),
    api(ApiKey::OffsetFetch, 1, 9, 6, shape::OFFSET_FETCH),
    api(ApiKey::FindCoordinator, 0, 4, 3, shape::FIND_COORDINATOR),
    api(ApiKey::JoinGroup, 0, 9, 6, shape::JOIN_GROUP),
    api(ApiKey::Heartbeat, 0, 4, 4, shape::HEARTBEAT),
    api(ApiKey::LeaveGroup, 0, 5, 4, shape::LEAVE_GROUP),
    api(ApiKey::SyncGroup, 0, 5, 4, shape::SYNC_GROUP),
    api(ApiKey::DescribeGroups, 0, 5, 5, shape::DESCRIBE_GROUPS),
    api(ApiKey::ListGroups, 0, 4, 3, shape::LIST_GROUPS),
    api(ApiKey::ApiVersions, 0, 4, 3, shape::API_VERSIONS),
    api(ApiKey::CreateTopics, 2, 7, 5, shape::CREATE_TOPICS),
    api(ApiKey::DeleteTopics, 1, 6, 4, shape::DELETE_TOPICS),
    api(ApiKey::DeleteRecords, 0, 2, 2, shape::DELETE_RECORDS),
    api(ApiKey::InitProducerId, 0, 4, 2, shape::INIT_PRODUCER_ID),
    api(ApiKey::DescribeConfigs, 1, 4, 4, shape::DESCRIBE_CONFIGS),
    api(ApiKey::AlterConfigs, 0, 2, 2, shape::ALTER_CONFIGS),
    api(ApiKey::CreatePartitions, 0, 3, 2, shape::CREATE_PARTITIONS),
    api(ApiKey::DeleteGroups, 0, 2, 2, shape::DELETE_GROUPS),
    api(
        ApiKey::IncrementalAlterConfigs,
        0,
        1,
        1,
        shape::INCREMENTAL_ALTER_CONFIGS,
    ),
    api(ApiKey::OffsetDelete, 0, 0, i16::MAX, shape::OFFSET_DELETE),
    api(ApiKey::DescribeCluster, 0, 1, 0, shape::DESCRIBE_CLUSTER),
];

pub(crate) fn find(key: i16) -> Option<&'static Api> {
    APIS.iter().find(|a| a.key as i16 == key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_versions_and_headers_agree_with_the_protocol_crate() {
        for api in APIS {
            let known = api.key.valid_versions();
            assert!(
                api.min >= known.min && api.max <= known.max,
                "{:?}",
                api.key
            );
            for version in api.min..=api.max {
                let header = api.key.request_header_version(version);
                assert_eq!(
                    header == 2,
                    version >= api.flexible,
                    "{:?} {version}",
                    api.key
                );
            }
        }
    }
}
