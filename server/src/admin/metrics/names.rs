//! The items of stock's `ServerMetrics`, under stock's names and in the order in which it prints
//! them: that of its hash tables.

const OBSERVERS: &str = "observers are not measured yet, and no follower serves them";
const DISLOYAL: &str = "a leader does not wait for one voter in particular";
const RING: &str = "sockets are closed by the ring, which nothing waits for";
const STAGES: &str = "requests pass no stages with queues of their own";
const CHANGES: &str = "the newest tree itself is what a request is checked against";
const CACHE: &str = "a reply is encoded out of the tree, nothing is cached";
const CLEANER: &str = "watches die with their connection, there is no cleaner";
const GONE: &str = "what was received counts, whether its connection is still there or not";
const TLS: &str = "of TLS, which is not built yet";
const NETTY: &str = "of Netty";
const JVM: &str = "of the Java machine";
const ENDS: &str = "the server ends at the first";
const STARTS: &str = "the port is opened when clients are served";
const DIGESTS: &str = "a tree that differs from its log does not start";
const SNAPSHOT_COMMANDS: &str = "the commands snapshot and restore are not built yet";

macro_rules! names {
    ($(#[$about:meta])* $type:ident {
        $($(#[$doc:meta])* $item:ident = $name:literal, $absent:expr,)+
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $type { $($(#[$doc])* $item,)+ }

        impl $type {
            /// All of them, in the order in which `mntr` shows them.
            pub const ALL: &[Self] = &[$(Self::$item),+];

            /// Its name, without `zk_`.
            pub fn name(self) -> &'static str {
                match self { $(Self::$item => $name,)+ }
            }

            /// Why it is always zero here, if it is.
            pub fn absent(self) -> Option<&'static str> {
                match self { $(Self::$item => $absent,)+ }
            }
        }
    };
}

names! {
    /// Things that are counted.
    Counter {
        /// Bytes of events.
        WatchBytes = "watch_bytes", None,
        /// Requests dropped because their connection was closed.
        StaleRequestsDropped = "stale_requests_dropped", None,
        /// Requests refused because they had waited too long.
        ThrottledOps = "throttled_ops", None,
        /// Plain connections to an admin port that expects TLS.
        InsecureAdminCount = "insecure_admin_count", Some(TLS),
        /// Connections refused: there were too many.
        ConnectionRejected = "connection_rejected", None,
        /// Connections that never sent a connect request.
        SessionlessConnectionsExpired = "sessionless_connections_expired", None,
        /// Watchers that wait for the cleaner.
        DeadWatchersQueued = "dead_watchers_queued", Some(CLEANER),
        /// Requests from a closed connection.
        StaleRequests = "stale_requests", Some(GONE),
        /// Connections whose client closed them.
        ConnectionDropCount = "connection_drop_count", None,
        /// Replies found in a cache.
        ResponsePacketCacheHits = "response_packet_cache_hits", Some(CACHE),
        /// Bytes from clients.
        BytesReceivedCount = "bytes_received_count", None,
        /// Waits for the cleaner of watchers.
        AddDeadWatcherStallTime = "add_dead_watcher_stall_time", Some(CLEANER),
        /// How often a request was delayed.
        RequestThrottleWaitCount = "request_throttle_wait_count", None,
        /// Requests kept from the commit stage.
        RequestsNotForwardedToCommitProcessor =
            "requests_not_forwarded_to_commit_processor",
            Some(STAGES),
        /// Replies not found in a cache.
        ResponsePacketCacheMisses = "response_packet_cache_misses", Some(CACHE),
        /// Requests accepted; in an ensemble those that the leader orders.
        PrepProcessorRequestQueued = "prep_processor_request_queued", None,
        /// Replies to closed connections.
        StaleReplies = "stale_replies", Some(GONE),
        /// Bytes of replies.
        ResponseBytes = "response_bytes", None,
        /// Clients that named another ensemble.
        EnsembleAuthFail = "ensemble_auth_fail", None,
        /// Learners synchronized by txns.
        DiffCount = "diff_count", None,
        /// Connects of existing sessions.
        ConnectionRevalidateCount = "connection_revalidate_count", None,
        /// Terms ended because of a disloyal voter.
        QuitLeadingDueToDisloyalVoter = "quit_leading_due_to_disloyal_voter", Some(DISLOYAL),
        /// Fatal errors.
        UnrecoverableErrorCount = "unrecoverable_error_count", Some(ENDS),
        /// TLS handshakes that failed.
        UnsuccessfulHandshake = "unsuccessful_handshake", Some(TLS),
        /// Txns committed as leader.
        CommitCount = "commit_count", None,
        /// Records of pending changes.
        OutstandingChangesQueued = "outstanding_changes_queued", Some(CHANGES),
        /// Txns committed, and on a follower its clients' syncs.
        RequestCommitQueued = "request_commit_queued", None,
        /// Clients that named no ensemble.
        EnsembleAuthSkip = "ensemble_auth_skip", None,
        /// Requests of learners skipped.
        SkipLearnerRequestToNextProcessorCount =
            "skip_learner_request_to_next_processor_count",
            Some(STAGES),
        /// Txns proposed as leader.
        ProposalCount = "proposal_count", None,
        /// Requests refused for their size.
        LargeRequestsRejected = "large_requests_rejected", None,
        /// Records of changes that were applied.
        OutstandingChangesRemoved = "outstanding_changes_removed", Some(CHANGES),
        /// Restores by command that failed.
        RestoreErrorCount = "restore_error_count", Some(SNAPSHOT_COMMANDS),
        /// Connections closed while nothing was served.
        CnxnClosedWithoutZkServerRunning = "cnxn_closed_without_zk_server_running", Some(STARTS),
        /// Elections begun.
        LookingCount = "looking_count", None,
        /// Snapshots by command refused as too frequent.
        SnapshotRateLimitedCount = "snapshot_rate_limited_count", Some(SNAPSHOT_COMMANDS),
        /// Proposals received.
        LearnerProposalReceivedCount = "learner_proposal_received_count", None,
        /// Digests that did not agree.
        DigestMismatchesCount = "digest_mismatches_count", Some(DIGESTS),
        /// Watchers removed by the cleaner.
        DeadWatchersCleared = "dead_watchers_cleared", Some(CLEANER),
        /// Clients that named this ensemble.
        EnsembleAuthSuccess = "ensemble_auth_success", None,
        /// Commits received.
        LearnerCommitReceivedCount = "learner_commit_received_count", None,
        /// Snapshots that failed.
        SnapshotErrorCount = "snapshot_error_count", None,
        /// Connects, of new sessions and existing ones.
        ConnectionRequestCount = "connection_request_count", None,
        /// Lists of children not found in a cache.
        ResponsePacketGetChildrenCacheMisses =
            "response_packet_get_children_cache_misses",
            Some(CACHE),
        /// Learners synchronized by a snapshot.
        SnapCount = "snap_count", None,
        /// Sessions that expired.
        StaleSessionsExpired = "stale_sessions_expired", None,
        /// Restores by command refused as too frequent.
        RestoreRateLimitedCount = "restore_rate_limited_count", Some(SNAPSHOT_COMMANDS),
        /// Lists of children found in a cache.
        ResponsePacketGetChildrenCacheHits = "response_packet_get_children_cache_hits", Some(CACHE),
        /// Requests accepted; in ZooKeeper reads pass the log stage too. In an ensemble txns only.
        SyncProcessorRequestQueued = "sync_processor_request_queued", None,
        /// TLS handshakes refused as too many.
        TlsHandshakeExceeded = "tls_handshake_exceeded", Some(TLS),
        /// Sessions checked for learners.
        RevalidateCount = "revalidate_count", None,
    }
}

names! {
    /// Things that are measured, times in ms.
    Measure {
        /// Time to close a link between servers.
        SocketClosingTime = "socket_closing_time", Some(RING),
        /// Of a stage of ZooKeeper.
        ProposalProcessTime = "proposal_process_time", Some(STAGES),
        /// Time without service, until this server led.
        LeaderUnavailableTime = "leader_unavailable_time", None,
        /// Watchers notified of a creation.
        NodeCreatedWatchCount = "node_created_watch_count", None,
        /// Of the commit stage.
        SessionQueuesDrained = "session_queues_drained", Some(STAGES),
        /// Of the commit stage.
        WriteCommitProcReqQueued = "write_commit_proc_req_queued", Some(STAGES),
        /// Tokens that connects lacked.
        ConnectionTokenDeficit = "connection_token_deficit", None,
        /// Of the commit stage.
        ReadCommitProcReqQueued = "read_commit_proc_req_queued", Some(STAGES),
        /// Watchers notified of a deletion.
        NodeDeletedWatchCount = "node_deleted_watch_count", None,
        /// Time to read the log at start.
        StartupTxnsLoadTime = "startup_txns_load_time", None,
        /// Of a stage of ZooKeeper.
        SyncProcessorQueueSize = "sync_processor_queue_size", Some(STAGES),
        /// Time to take over the leader's history.
        FollowerSyncTime = "follower_sync_time", None,
        /// Of a stage of ZooKeeper.
        PrepProcessorQueueSize = "prep_processor_queue_size", Some(STAGES),
        /// Time to make a batch durable.
        Fsynctime = "fsynctime", None,
        /// Learners that a snapshot is sent to, as it begins and ends.
        InflightSnapCount = "inflight_snap_count", None,
        /// Of the commit stage.
        ReadsIssuedFromSessionQueue = "reads_issued_from_session_queue", Some(STAGES),
        /// Time of a restore by command.
        RestoreTime = "restore_time", Some(SNAPSHOT_COMMANDS),
        /// Of a follower's stages.
        LearnerRequestProcessorQueueSize = "learner_request_processor_queue_size", Some(STAGES),
        /// Time to write a snapshot.
        Snapshottime = "snapshottime", None,
        /// Time without service.
        UnavailableTime = "unavailable_time", None,
        /// Txns read at start.
        StartupTxnsLoaded = "startup_txns_loaded", None,
        /// Of the commit stage.
        ReadsAfterWriteInSessionQueue = "reads_after_write_in_session_queue", Some(STAGES),
        /// Of the commit stage.
        RequestsInSessionQueue = "requests_in_session_queue", Some(STAGES),
        /// Of the commit stage.
        WriteCommitProcIssued = "write_commit_proc_issued", Some(STAGES),
        /// Of a stage of ZooKeeper.
        PrepProcessTime = "prep_process_time", Some(STAGES),
        /// Of the commit stage.
        PendingSessionQueueSize = "pending_session_queue_size", Some(STAGES),
        /// Of the commit stage.
        TimeWaitingEmptyPoolInCommitProcessorReadMs =
            "time_waiting_empty_pool_in_commit_processor_read_ms",
            Some(STAGES),
        /// Of the commit stage.
        CommitProcessTime = "commit_process_time", Some(STAGES),
        /// Time to load the tree.
        Dbinittime = "dbinittime", None,
        /// Learners that txns are sent to, as it begins and ends.
        InflightDiffCount = "inflight_diff_count", None,
        /// Bytes queued by Netty.
        NettyQueuedBufferCapacity = "netty_queued_buffer_capacity", Some(NETTY),
        /// Time to find a leader.
        ElectionTime = "election_time", None,
        /// Of the commit stage.
        CommitCommitProcReqQueued = "commit_commit_proc_req_queued", Some(STAGES),
        /// Txns in a batch.
        SyncProcessorBatchSize = "sync_processor_batch_size", None,
        /// Watchers notified of an added or removed child.
        NodeChildrenWatchCount = "node_children_watch_count", None,
        /// Of the commit stage.
        WriteBatchTimeInCommitProcessor = "write_batch_time_in_commit_processor", Some(STAGES),
        /// Of the commit stage.
        ReadCommitProcIssued = "read_commit_proc_issued", Some(STAGES),
        /// Of the commit stage.
        ConcurrentRequestProcessingInCommitProcessor =
            "concurrent_request_processing_in_commit_processor",
            Some(STAGES),
        /// Time to take over the leader's history, without a vote.
        ObserverSyncTime = "observer_sync_time", Some(OBSERVERS),
        /// Watchers notified of new data.
        NodeChangedWatchCount = "node_changed_watch_count", None,
        /// Of a stage of ZooKeeper.
        SyncProcessTime = "sync_process_time", Some(STAGES),
        /// Time to read the snapshot at start.
        StartupSnapLoadTime = "startup_snap_load_time", None,
        /// Of a stage of ZooKeeper.
        PrepProcessorQueueTimeMs = "prep_processor_queue_time_ms", Some(STAGES),
        /// Pauses of the Java machine.
        JvmPauseTimeMs = "jvm_pause_time_ms", Some(JVM),
        /// Of a stage of ZooKeeper.
        CloseSessionPrepTime = "close_session_prep_time", Some(STAGES),
        /// Of the commit stage.
        ReadCommitprocTimeMs = "read_commitproc_time_ms", Some(STAGES),
        /// Time to answer a write.
        Updatelatency = "updatelatency", None,
        /// Of the commit stage.
        LocalWriteCommittedTimeMs = "local_write_committed_time_ms", Some(STAGES),
        /// Time that a request was delayed.
        RequestThrottleQueueTimeMs = "request_throttle_queue_time_ms", None,
        /// Time to answer a read.
        Readlatency = "readlatency", None,
        /// Time from the decision about a txn until a quorum holds it.
        QuorumAckLatency = "quorum_ack_latency", None,
        /// Of followers that have observers.
        OmCommitProcessTimeMs = "om_commit_process_time_ms", Some(OBSERVERS),
        /// Of the commit stage.
        ReadFinalProcTimeMs = "read_final_proc_time_ms", Some(STAGES),
        /// Time from the decision about a txn until its commit is received.
        CommitPropagationLatency = "commit_propagation_latency", None,
        /// Time to remove watchers.
        DeadWatchersCleanerLatency = "dead_watchers_cleaner_latency", Some(CLEANER),
        /// Of the commit stage.
        WriteFinalProcTimeMs = "write_final_proc_time_ms", Some(STAGES),
        /// Time from the decision about a txn until it is durable here.
        ProposalAckCreationLatency = "proposal_ack_creation_latency", None,
        /// Time from the decision about a txn until it is received.
        ProposalLatency = "proposal_latency", None,
        /// Of followers that have observers.
        OmProposalProcessTimeMs = "om_proposal_process_time_ms", Some(OBSERVERS),
        /// Time that a txn spent in the log.
        SyncProcessorQueueAndFlushTimeMs = "sync_processor_queue_and_flush_time_ms", None,
        /// Time from a txn's proposal until it is visible.
        PropagationLatency = "propagation_latency", None,
        /// Of the commit stage.
        ServerWriteCommittedTimeMs = "server_write_committed_time_ms", Some(STAGES),
        /// Of a stage of ZooKeeper.
        SyncProcessorQueueTimeMs = "sync_processor_queue_time_ms", Some(STAGES),
        /// Time to make a batch durable, with its quantiles.
        SyncProcessorQueueFlushTimeMs = "sync_processor_queue_flush_time_ms", None,
        /// Of the commit stage.
        WriteCommitprocTimeMs = "write_commitproc_time_ms", Some(STAGES),
    }
}

names! {
    /// Things that a leader measures for each server.
    ServerMeasure {
        /// Packets that wait behind each send to a learner.
        LearnerHandlerQpSize = "learner_handler_qp_size", None,
        /// Time from the decision about a txn until a server holds it; of every thousandth txn.
        AckLatency = "ack_latency", None,
        /// Time that the first packet of a send to a learner had waited.
        LearnerHandlerQpTimeMs = "learner_handler_qp_time_ms", None,
    }
}

impl ServerMeasure {
    /// Whether its quantiles are shown too.
    pub fn has_quantiles(self) -> bool {
        self != Self::LearnerHandlerQpSize
    }
}

impl Measure {
    /// Whether its quantiles are shown too.
    pub fn has_quantiles(self) -> bool {
        self >= Self::PrepProcessorQueueTimeMs
    }
}
