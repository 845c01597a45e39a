//! The tables as diesel sees them; `tests/it/catalog.rs` compares this with the database.

diesel::table! {
    absence (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        source -> Text,
        user_id -> Uuid,
        kind -> Nullable<Text>,
        start_date -> Date,
        end_date -> Date,
        update_time -> Timestamptz,
        missing_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    alert (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        rule -> Text,
        integration_id -> Nullable<Uuid>,
        state -> Text,
        value -> Double,
        threshold -> Double,
        pending_checks -> Integer,
        begin_time -> Timestamptz,
        notify_time -> Nullable<Timestamptz>,
        end_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    alert_destination (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        name -> Text,
        url_host -> Text,
        sealed_target -> Bytea,
        disabled -> Bool,
        create_time -> Timestamptz,
        last_success_time -> Nullable<Timestamptz>,
        last_failure_time -> Nullable<Timestamptz>,
        last_failure_reason -> Nullable<Text>,
    }
}

diesel::table! {
    api_key (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        name -> Text,
        prefix -> Text,
        secret_hash -> Bytea,
        role -> Text,
        scopes -> Array<Text>,
        origin -> Text,
        create_time -> Timestamptz,
        expire_time -> Nullable<Timestamptz>,
        revoke_time -> Nullable<Timestamptz>,
        last_use_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    appointment (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        patient_id -> Nullable<Uuid>,
        practitioner_id -> Nullable<Uuid>,
        service_id -> Nullable<Uuid>,
        therapist_name -> Nullable<Text>,
        service_name -> Nullable<Text>,
        status -> Text,
        start_time -> Timestamptz,
        end_time -> Timestamptz,
        occupied_start_time -> Timestamptz,
        occupied_end_time -> Timestamptz,
        time_zone -> Text,
        hold_expire_time -> Nullable<Timestamptz>,
        origin -> Text,
        last_change_origin -> Text,
        integration_id -> Nullable<Uuid>,
        external_id -> Nullable<Text>,
        sync_time -> Nullable<Timestamptz>,
        cancel_reason -> Nullable<Text>,
        create_time -> Timestamptz,
        update_time -> Timestamptz,
        provider_sync -> Text,
        provider_sync_attempts -> Integer,
        provider_sync_time -> Nullable<Timestamptz>,
        provider_sync_cause -> Nullable<Text>,
        provider_sync_message_id -> Nullable<Uuid>,
        provider_sync_reason -> Nullable<Text>,
        provider_sync_review_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    appointment_change (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        appointment_id -> Uuid,
        kind -> Text,
        origin -> Text,
        cause -> Text,
        status -> Text,
        start_time -> Timestamptz,
        end_time -> Timestamptz,
        practitioner_id -> Nullable<Uuid>,
        change_time -> Timestamptz,
        xact -> BigInt,
        provider_sync -> Text,
        intent_id -> Nullable<Uuid>,
        reason -> Nullable<Text>,
    }
}

diesel::table! {
    appointment_link (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        appointment_id -> Nullable<Uuid>,
        external_patient_id -> Nullable<Text>,
        start_time -> Nullable<Timestamptz>,
        duration_minutes -> Nullable<Integer>,
        time_zone -> Nullable<Text>,
        therapist_name -> Nullable<Text>,
        service_name -> Nullable<Text>,
        status -> Nullable<Text>,
        state_time -> Nullable<Timestamptz>,
        state_rank -> SmallInt,
        state_fingerprint -> Nullable<Bytea>,
        cancel_time -> Nullable<Timestamptz>,
        cancel_fingerprint -> Nullable<Bytea>,
        cancel_reason -> Nullable<Text>,
        wait_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    appointment_removal (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        appointment_id -> Uuid,
        practitioner_id -> Nullable<Uuid>,
        patient_id -> Nullable<Uuid>,
        xact -> BigInt,
    }
}

diesel::table! {
    area_mapping (tenant_id, integration_id, option_id) {
        tenant_id -> Uuid,
        integration_id -> Uuid,
        option_id -> Text,
        option_name -> Text,
        color -> Nullable<Text>,
        is_enabled -> Bool,
        area -> Nullable<Text>,
    }
}

diesel::table! {
    booking (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        appointment_id -> Nullable<Uuid>,
        external_event_type_id -> Nullable<Text>,
        status -> Text,
        start_time -> Nullable<Timestamptz>,
        end_time -> Nullable<Timestamptz>,
        successor_external_id -> Nullable<Text>,
        is_current -> Bool,
        confirmed_time -> Nullable<Timestamptz>,
        create_time -> Timestamptz,
        update_time -> Timestamptz,
    }
}

diesel::table! {
    call_slot (tenant_id, integration_id, is_write, number) {
        tenant_id -> Uuid,
        integration_id -> Uuid,
        is_write -> Bool,
        number -> Integer,
        holder -> Uuid,
        lease_until -> Timestamptz,
    }
}

diesel::table! {
    consent (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        patient_id -> Nullable<Uuid>,
        subject -> Text,
        scopes -> Array<Text>,
        text_version -> Text,
        address -> Nullable<Text>,
        user_agent -> Nullable<Text>,
        grant_time -> Timestamptz,
        revoke_time -> Nullable<Timestamptz>,
        revoker -> Nullable<Text>,
    }
}

diesel::table! {
    credential (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        kind -> Text,
        sealed_secret -> Bytea,
        version -> Integer,
        cause -> Text,
        create_time -> Timestamptz,
        update_time -> Timestamptz,
        scopes -> Array<Text>,
        expire_time -> Nullable<Timestamptz>,
        refresh_due_time -> Nullable<Timestamptz>,
        refresh_lease_id -> Nullable<Uuid>,
        refresh_lease_until -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    credential_history (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        event -> Text,
        version -> Integer,
        cause -> Text,
        reason -> Nullable<Text>,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    event_type (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        instance_url -> Text,
        external_id -> Text,
        slug -> Text,
        title -> Text,
        service_id -> Nullable<Uuid>,
        practitioner_id -> Nullable<Uuid>,
        length_minutes -> Integer,
        length_options -> Array<Integer>,
        requires_confirmation -> Bool,
        is_seated -> Bool,
        is_recurring -> Bool,
        unsupported_reason -> Nullable<Text>,
        archived -> Bool,
        check_time -> Timestamptz,
    }
}

diesel::table! {
    external_user (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        name -> Text,
        email -> Nullable<Text>,
        email_folded -> Nullable<Text>,
        practitioner_id -> Nullable<Uuid>,
        mapped_by -> Nullable<Text>,
        map_time -> Nullable<Timestamptz>,
        absences_time -> Nullable<Timestamptz>,
        missing_time -> Nullable<Timestamptz>,
        update_time -> Timestamptz,
    }
}

diesel::table! {
    idempotency_record (tenant_id, subject, rpc, key_hash) {
        tenant_id -> Uuid,
        subject -> Text,
        rpc -> Text,
        key_hash -> Bytea,
        request_hash -> Bytea,
        resource_id -> Uuid,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    instance (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        root_key_ids -> Array<Text>,
        sealing_root_key_id -> Text,
        report_time -> Timestamptz,
    }
}

diesel::table! {
    integration (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        provider -> Text,
        name -> Text,
        create_time -> Timestamptz,
        state -> Text,
        state_reason -> Nullable<Text>,
        instance_url -> Nullable<Text>,
        account_id -> Nullable<Text>,
        account_name -> Nullable<Text>,
        inbound_paused -> Bool,
        outbound_paused -> Bool,
        read_only -> Bool,
        update_time -> Timestamptz,
        placeholders -> Jsonb,
        granted_account_id -> Nullable<Text>,
        consent_required -> Bool,
    }
}

diesel::table! {
    integration_flow (tenant_id, integration_id) {
        tenant_id -> Uuid,
        integration_id -> Uuid,
        capacity -> Double,
        refill_per_s -> Double,
        tokens -> Double,
        refill_time -> Timestamptz,
        pause_until -> Nullable<Timestamptz>,
        breaker -> Text,
        breaker_until -> Nullable<Timestamptz>,
        failures -> Integer,
        openings -> Integer,
        last_success_time -> Nullable<Timestamptz>,
        last_failure_time -> Nullable<Timestamptz>,
        last_failure_reason -> Nullable<Text>,
        pace -> Double,
        pace_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    intent (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        appointment_id -> Uuid,
        kind -> Text,
        target_external_id -> Nullable<Text>,
        external_event_type_id -> Nullable<Text>,
        start_time -> Nullable<Timestamptz>,
        fingerprint -> Bytea,
        state -> Text,
        result_external_id -> Nullable<Text>,
        reason -> Nullable<Text>,
        cause -> Text,
        attempts -> Integer,
        create_time -> Timestamptz,
        send_time -> Nullable<Timestamptz>,
        settle_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    link_candidate (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        patient_id -> Uuid,
        known_patient_id -> Uuid,
        score -> SmallInt,
        reasons -> Array<Text>,
        state -> Text,
        moved_links -> Array<Uuid>,
        moved_appointments -> Array<Uuid>,
        decided_by -> Nullable<Text>,
        create_time -> Timestamptz,
        decide_time -> Nullable<Timestamptz>,
        merged_patient_id -> Nullable<Uuid>,
        known_before -> Nullable<Jsonb>,
    }
}

diesel::table! {
    oauth_authorization (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        provider -> Text,
        integration_id -> Nullable<Uuid>,
        subject -> Text,
        state -> Text,
        reason -> Nullable<Text>,
        name -> Text,
        read_only -> Bool,
        scopes -> Array<Text>,
        placeholders -> Jsonb,
        client_id -> Text,
        redirect_uri -> Text,
        return_url -> Text,
        state_hash -> Bytea,
        sealed_verifier -> Nullable<Bytea>,
        sealed_code -> Nullable<Bytea>,
        completion_hash -> Nullable<Bytea>,
        made_integration_id -> Nullable<Uuid>,
        create_time -> Timestamptz,
        expire_time -> Timestamptz,
        is_another -> Bool,
    }
}

diesel::table! {
    oauth_client (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        provider -> Text,
        client_id -> Text,
        sealed_secret -> Bytea,
        cause -> Text,
        create_time -> Timestamptz,
        update_time -> Timestamptz,
    }
}

diesel::table! {
    outbox (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        lane -> Text,
        payload -> Jsonb,
        cause -> Text,
        state -> Text,
        run_time -> Timestamptz,
        attempts -> Integer,
        lease_epoch -> BigInt,
        reason -> Nullable<Text>,
        create_time -> Timestamptz,
        is_head -> Bool,
        is_leased -> Bool,
        integration_id -> Nullable<Uuid>,
        update_time -> Timestamptz,
        position -> BigInt,
    }
}

diesel::table! {
    patient (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        first_name -> Text,
        last_name -> Text,
        email -> Nullable<Text>,
        booking_email -> Nullable<Text>,
        phone -> Nullable<Text>,
        birth_date -> Nullable<Date>,
        practitioner_id -> Nullable<Uuid>,
        origin -> Text,
        merged_into_id -> Nullable<Uuid>,
        first_name_folded -> Text,
        last_name_folded -> Text,
        email_folded -> Nullable<Text>,
        booking_email_folded -> Nullable<Text>,
        phone_folded -> Nullable<Text>,
        create_time -> Timestamptz,
        update_time -> Timestamptz,
    }
}

diesel::table! {
    patient_import (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Nullable<Uuid>,
        state -> Text,
        dry_run -> Bool,
        run -> Integer,
        received_bytes -> BigInt,
        processed_rows -> BigInt,
        created_rows -> BigInt,
        matched_rows -> BigInt,
        candidate_rows -> BigInt,
        refused_rows -> BigInt,
        failure_reason -> Text,
        delimiter -> Text,
        encoding -> Text,
        ignored_columns -> Array<Text>,
        origin -> Text,
        create_time -> Timestamptz,
        end_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    patient_import_chunk (tenant_id, patient_import_id, offset_bytes) {
        tenant_id -> Uuid,
        patient_import_id -> Uuid,
        offset_bytes -> BigInt,
        size_bytes -> Integer,
        sealed_data -> Bytea,
    }
}

diesel::table! {
    patient_import_row (tenant_id, patient_import_id, run, row_number) {
        tenant_id -> Uuid,
        patient_import_id -> Uuid,
        run -> Integer,
        row_number -> BigInt,
        outcome -> Text,
        reason -> Text,
        field -> Text,
        patient_id -> Nullable<Uuid>,
    }
}

diesel::table! {
    patient_link (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        patient_id -> Nullable<Uuid>,
        origin -> Nullable<Text>,
        first_name -> Text,
        last_name -> Text,
        email -> Nullable<Text>,
        phone -> Nullable<Text>,
        birth_date -> Nullable<Date>,
        state_time -> Nullable<Timestamptz>,
        state_rank -> SmallInt,
        state_fingerprint -> Nullable<Bytea>,
        delete_time -> Nullable<Timestamptz>,
        link_time -> Timestamptz,
        former_patient_id -> Nullable<Uuid>,
        patient_before -> Nullable<Jsonb>,
    }
}

diesel::table! {
    patient_tombstone (tenant_id, fingerprint) {
        tenant_id -> Uuid,
        fingerprint -> Bytea,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    phase (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        name -> Text,
        is_completed -> Bool,
        assignee_id -> Nullable<Uuid>,
        start_date -> Nullable<Date>,
        due_date -> Nullable<Date>,
        planned_hours -> Nullable<Numeric>,
        area -> Nullable<Text>,
        base_start_date -> Nullable<Date>,
        base_due_date -> Nullable<Date>,
        base_planned_hours -> Nullable<Numeric>,
        base_area -> Nullable<Text>,
        start_date_change_time -> Nullable<Timestamptz>,
        due_date_change_time -> Nullable<Timestamptz>,
        planned_hours_change_time -> Nullable<Timestamptz>,
        area_change_time -> Nullable<Timestamptz>,
        area_option_id -> Nullable<Text>,
        actual_minutes -> Nullable<Integer>,
        counted_minutes -> Nullable<Integer>,
        external_update_time -> Nullable<Timestamptz>,
        presence -> Text,
        missing_time -> Nullable<Timestamptz>,
        update_time -> Timestamptz,
        provider_sync -> Text,
        provider_sync_attempts -> Integer,
        provider_sync_time -> Nullable<Timestamptz>,
        provider_sync_cause -> Nullable<Text>,
        provider_sync_reason -> Nullable<Text>,
        read_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    phase_change (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        phase_id -> Uuid,
        kind -> Text,
        origin -> Text,
        cause -> Text,
        start_date -> Nullable<Date>,
        due_date -> Nullable<Date>,
        planned_hours -> Nullable<Numeric>,
        area -> Nullable<Text>,
        presence -> Text,
        provider_sync -> Text,
        reason -> Nullable<Text>,
        change_time -> Timestamptz,
        xact -> BigInt,
    }
}

diesel::table! {
    phase_conflict (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        phase_id -> Uuid,
        field -> Text,
        base_value -> Nullable<Text>,
        our_value -> Nullable<Text>,
        our_time -> Timestamptz,
        their_value -> Nullable<Text>,
        their_time -> Timestamptz,
        winner -> Text,
        reason -> Text,
        create_time -> Timestamptz,
        revert_time -> Nullable<Timestamptz>,
        reverted_by -> Nullable<Text>,
    }
}

diesel::table! {
    phase_intent (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        phase_id -> Uuid,
        writes_dates -> Bool,
        start_date -> Nullable<Date>,
        due_date -> Nullable<Date>,
        writes_hours -> Bool,
        planned_hours -> Nullable<Numeric>,
        writes_area -> Bool,
        area -> Nullable<Text>,
        state -> Text,
        reason -> Nullable<Text>,
        cause -> Text,
        create_time -> Timestamptz,
        send_time -> Timestamptz,
        settle_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    phase_project (tenant_id, phase_id, project_id) {
        tenant_id -> Uuid,
        phase_id -> Uuid,
        project_id -> Uuid,
        seen_time -> Timestamptz,
    }
}

diesel::table! {
    planning_health (tenant_id, integration_id) {
        tenant_id -> Uuid,
        integration_id -> Uuid,
        missed_events -> BigInt,
        last_missed_time -> Nullable<Timestamptz>,
        absences_reason -> Nullable<Text>,
        time_entries_reason -> Nullable<Text>,
        clock_skew_ms -> BigInt,
    }
}

diesel::table! {
    planning_settings (tenant_id, integration_id) {
        tenant_id -> Uuid,
        integration_id -> Uuid,
        workspace_id -> Nullable<Text>,
        workspace_name -> Nullable<Text>,
        area_field_id -> Nullable<Text>,
        area_field_name -> Nullable<Text>,
        hours_field_id -> Nullable<Text>,
        hours_field_name -> Nullable<Text>,
        hours_precision -> Nullable<SmallInt>,
        absence_source -> Text,
        absence_project_id -> Nullable<Text>,
        absence_kind_field_id -> Nullable<Text>,
        deletion_guard_percent -> SmallInt,
        plan -> Text,
        workspace_time -> Nullable<Timestamptz>,
        mapping_time -> Nullable<Timestamptz>,
        initial_sync_time -> Nullable<Timestamptz>,
        webhooks_time -> Nullable<Timestamptz>,
        update_time -> Timestamptz,
    }
}

diesel::table! {
    practitioner (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        name -> Text,
        aliases -> Array<Text>,
        archived -> Bool,
        create_time -> Timestamptz,
        email -> Nullable<Text>,
        email_folded -> Nullable<Text>,
    }
}

diesel::table! {
    practitioner_name (tenant_id, folded_name) {
        tenant_id -> Uuid,
        folded_name -> Text,
        practitioner_id -> Uuid,
    }
}

diesel::table! {
    project (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        name -> Text,
        start_date -> Nullable<Date>,
        due_date -> Nullable<Date>,
        is_archived -> Bool,
        has_area_field -> Bool,
        has_hours_field -> Bool,
        presence -> Text,
        missing_time -> Nullable<Timestamptz>,
        external_update_time -> Nullable<Timestamptz>,
        sync_time -> Nullable<Timestamptz>,
        update_time -> Timestamptz,
    }
}

diesel::table! {
    project_cursor (tenant_id, project_id) {
        tenant_id -> Uuid,
        project_id -> Uuid,
        integration_id -> Uuid,
        event_token -> Nullable<Text>,
        event_token_time -> Nullable<Timestamptz>,
        poll_time -> Nullable<Timestamptz>,
        is_gapped -> Bool,
        round_id -> Nullable<Uuid>,
        round_begin_time -> Nullable<Timestamptz>,
        round_offset -> Nullable<Text>,
        round_is_read -> Bool,
        round_reason -> Nullable<Text>,
        round_phases -> Integer,
        round_changes -> Integer,
    }
}

diesel::table! {
    review_item (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        kind -> Text,
        state -> Text,
        integration_id -> Nullable<Uuid>,
        appointment_id -> Nullable<Uuid>,
        intent_id -> Nullable<Uuid>,
        reason -> Text,
        resolution -> Nullable<Text>,
        resolver -> Nullable<Text>,
        open_time -> Timestamptz,
        resolve_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    root_key (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Text,
        active -> Bool,
        activate_time -> Timestamptz,
    }
}

diesel::table! {
    schedule_run (tenant_id, schedule, occurrence_time) {
        tenant_id -> Uuid,
        schedule -> Text,
        occurrence_time -> Timestamptz,
        run_time -> Timestamptz,
    }
}

diesel::table! {
    service (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        name -> Text,
        aliases -> Array<Text>,
        duration_s -> Integer,
        buffer_before_s -> Integer,
        buffer_after_s -> Integer,
        archived -> Bool,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    service_name (tenant_id, folded_name) {
        tenant_id -> Uuid,
        folded_name -> Text,
        service_id -> Uuid,
    }
}

diesel::table! {
    slot_reservation (tenant_id, appointment_id) {
        tenant_id -> Uuid,
        appointment_id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        expire_time -> Timestamptz,
    }
}

diesel::table! {
    subject_link (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        issuer -> Text,
        subject -> Text,
        practitioner_id -> Nullable<Uuid>,
        patient_id -> Nullable<Uuid>,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    subscription (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        webhook_endpoint_id -> Uuid,
        resource -> Text,
        external_id -> Nullable<Text>,
        state -> Text,
        reason -> Nullable<Text>,
        check_time -> Nullable<Timestamptz>,
        create_time -> Timestamptz,
        provider_success_time -> Nullable<Timestamptz>,
        provider_failure_time -> Nullable<Timestamptz>,
        provider_removal_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sync_cursor (tenant_id, integration_id, noun) {
        tenant_id -> Uuid,
        integration_id -> Uuid,
        noun -> Text,
        watermark -> Nullable<Timestamptz>,
        last_run_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    sync_log (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        kind -> Text,
        state -> Text,
        cause -> Text,
        stage -> Nullable<Text>,
        counts -> Jsonb,
        errors -> Jsonb,
        error_count -> Integer,
        reason -> Nullable<Text>,
        cancel_asked -> Bool,
        revision -> Integer,
        start_time -> Timestamptz,
        end_time -> Nullable<Timestamptz>,
        expect_end_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    tenant (tenant_id) {
        tenant_id -> Uuid,
        name -> Text,
        default_practitioner_id -> Nullable<Uuid>,
        booking_url -> Nullable<Text>,
        time_zone -> Text,
        phone_region -> Text,
        webhook_limit_per_minute -> Integer,
        hold_duration_s -> Integer,
        event_retention_months -> Integer,
        create_time -> Timestamptz,
        return_urls -> Array<Text>,
    }
}

diesel::table! {
    tenant_key (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        root_key_id -> Text,
        wrapped_key -> Bytea,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    time_entry (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        phase_id -> Uuid,
        user_id -> Nullable<Uuid>,
        entry_date -> Date,
        minutes -> Integer,
        update_time -> Timestamptz,
        missing_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    unheard_change (tenant_id, integration_id, external_id) {
        tenant_id -> Uuid,
        integration_id -> Uuid,
        external_id -> Text,
        find_time -> Timestamptz,
    }
}

diesel::table! {
    webhook_activity (tenant_id, webhook_endpoint_id) {
        tenant_id -> Uuid,
        webhook_endpoint_id -> Uuid,
        integration_id -> Uuid,
        window_start_time -> Timestamptz,
        window_count -> Integer,
        last_delivery_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_body_key (tenant_id, webhook_event_id) {
        tenant_id -> Uuid,
        webhook_event_id -> Uuid,
        patient_id -> Nullable<Uuid>,
        external_patient_id -> Nullable<Text>,
        external_appointment_id -> Nullable<Text>,
        wrapped_key -> Bytea,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    webhook_dedupe (tenant_id, webhook_endpoint_id, delivery_hash) {
        tenant_id -> Uuid,
        webhook_endpoint_id -> Uuid,
        delivery_hash -> Bytea,
        webhook_event_id -> Uuid,
        status -> Text,
        reason -> Nullable<Text>,
        field -> Nullable<Text>,
        create_time -> Timestamptz,
    }
}

diesel::table! {
    webhook_endpoint (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        integration_id -> Uuid,
        provider -> Text,
        name -> Text,
        token_hash -> Bytea,
        sealed_token -> Bytea,
        scheme -> Text,
        limit_per_minute -> Integer,
        create_time -> Timestamptz,
        disable_time -> Nullable<Timestamptz>,
        base_url -> Nullable<Text>,
        is_clients -> Bool,
        handshake_expire_time -> Nullable<Timestamptz>,
    }
}

diesel::table! {
    webhook_event (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        webhook_endpoint_id -> Uuid,
        integration_id -> Uuid,
        provider -> Text,
        event_type -> Text,
        delivery_id -> Nullable<Text>,
        status -> Text,
        reason -> Nullable<Text>,
        field -> Nullable<Text>,
        will_retry -> Bool,
        cause -> Text,
        original_id -> Nullable<Uuid>,
        receive_time -> Timestamptz,
        occurred_time -> Nullable<Timestamptz>,
        patient_id -> Nullable<Uuid>,
        appointment_id -> Nullable<Uuid>,
        body_size_bytes -> Integer,
        sealed_body -> Nullable<Bytea>,
    }
}

diesel::table! {
    webhook_secret (tenant_id, id) {
        tenant_id -> Uuid,
        id -> Uuid,
        webhook_endpoint_id -> Uuid,
        sealed_secret -> Bytea,
        create_time -> Timestamptz,
        expire_time -> Nullable<Timestamptz>,
        show_time -> Nullable<Timestamptz>,
    }
}

diesel::allow_tables_to_appear_in_same_query!(
    absence,
    alert,
    alert_destination,
    api_key,
    appointment,
    appointment_change,
    appointment_link,
    appointment_removal,
    area_mapping,
    booking,
    call_slot,
    consent,
    credential,
    credential_history,
    event_type,
    external_user,
    idempotency_record,
    instance,
    integration,
    integration_flow,
    intent,
    link_candidate,
    oauth_authorization,
    oauth_client,
    outbox,
    patient,
    patient_import,
    patient_import_chunk,
    patient_import_row,
    patient_link,
    patient_tombstone,
    phase,
    phase_change,
    phase_conflict,
    phase_intent,
    phase_project,
    planning_health,
    planning_settings,
    practitioner,
    practitioner_name,
    project,
    project_cursor,
    review_item,
    root_key,
    schedule_run,
    service,
    service_name,
    slot_reservation,
    subject_link,
    subscription,
    sync_cursor,
    sync_log,
    tenant,
    tenant_key,
    time_entry,
    unheard_change,
    webhook_activity,
    webhook_body_key,
    webhook_dedupe,
    webhook_endpoint,
    webhook_event,
    webhook_secret,
);
