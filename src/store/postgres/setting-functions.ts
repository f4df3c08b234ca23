/** What operators and circuits change for all nodes. Each change raises the settings' version, whose row is locked last. */
export const settingFunctions = `
  create or replace function :s.change_setting_1(
    p_now double precision, p_verb text, p_what text, p_name text, p_actor text, p_reason text
  ) returns void language plpgsql as $$
  begin
    if p_verb = 'pause' then
      insert into :s.pause values (p_what, p_name, :s.now_1(p_now), p_actor, p_reason) on conflict do nothing;
    else
      delete from :s.pause p where p.what = p_what and p.name = p_name;
    end if;
    if found then update :s.meta set settings_version = settings_version + 1; end if;
  end $$;

  -- With neither of the two, what was set is taken back.
  create or replace function :s.set_limits_1(
    p_now double precision, p_name text, p_rate double precision, p_concurrency double precision, p_actor text, p_reason text
  ) returns void language plpgsql as $$
  begin
    if p_rate is null and p_concurrency is null then
      delete from :s.dependency_limit d where d.dependency = p_name;
    else
      insert into :s.dependency_limit values (p_name, p_rate, p_concurrency, :s.now_1(p_now), p_actor, p_reason)
      on conflict (dependency) do update set rate = excluded.rate, concurrency = excluded.concurrency, since = excluded.since,
        actor = excluded.actor, reason = excluded.reason;
    end if;
    if found then update :s.meta set settings_version = settings_version + 1; end if;
  end $$;

  -- Turns a circuit that is as it was seen: as \`turned\` in circuits.ts. Who turns it at the same time is waited for, and went first.
  create or replace function :s.turn_circuit_1(
    p_now double precision, p_dependency text, p_seen integer, p_state text, p_probe_in_ms double precision, p_reason text, p_actor text
  ) returns jsonb language plpgsql as $$
  declare
    at double precision := :s.now_1(p_now);
    probe double precision := case when p_state = 'closed' then null else at + p_probe_in_ms end;
    applied boolean;
  begin
    if p_seen = 0 then
      insert into :s.circuit values (p_dependency, 1, p_state, at, at, probe, p_reason, p_actor) on conflict do nothing;
    else
      update :s.circuit c set version = c.version + 1, state = p_state, since = at,
        opened_at = case when p_state <> 'closed' and c.state = 'closed' then at else c.opened_at end,
        probe_at = probe, reason = p_reason, actor = p_actor
      where c.dependency = p_dependency and c.version = p_seen;
    end if;
    applied := found;
    if applied then update :s.meta set settings_version = settings_version + 1; end if;
    return jsonb_build_object('applied', applied,
      'circuit', (select to_jsonb(c) from :s.circuit c where c.dependency = p_dependency));
  end $$;
`
