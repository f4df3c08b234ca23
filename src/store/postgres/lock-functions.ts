/** The lock of whoever beats, in SQL. */
export const beatLock = `hashtextextended(':s' || ' beat', 0)`

/**
 * Locks that are taken alone. What holds one is a single statement of a node. Its transaction ends with the last message that the
 * client sends, five bytes: a node that was frozen, or cut off, just before them would hold its locks for as long as its connection
 * lives, which is two hours where nobody set keepalives; every takeover, and behind it every beat, waited for it.
 */
export const lockFunctions = `
  -- Ends sessions that hold this lock, have done what they were asked, and wait for a client that does not end it: nothing of
  -- theirs is committed. Of a role that this one may not end, nothing is seen, and the lock is waited for.
  create or replace function :s.end_stuck_1(p_number bigint) returns void language plpgsql as $$
  begin
    perform pg_stat_clear_snapshot();
    perform pg_terminate_backend(a.pid) from pg_locks l join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.pid <> pg_backend_pid()
      and l.database = (select d.oid from pg_database d where d.datname = current_database())
      and l.classid = ((p_number >> 32) & 4294967295)::oid and l.objid = (p_number & 4294967295)::oid
      and a.state = 'active' and a.wait_event = 'ClientRead' and a.query_start < clock_timestamp() - interval '500 ms';
  exception when insufficient_privilege then
    return;
  end $$;

  create or replace function :s.lock_alone_1(p_number bigint) returns void language plpgsql set lock_timeout = '500ms' as $$
  begin
    if pg_try_advisory_xact_lock(p_number) then return; end if;
    for try in 1 .. 4 loop
      begin
        perform pg_advisory_xact_lock(p_number);
        return;
      exception when lock_not_available then
        perform :s.end_stuck_1(p_number);
      end;
    end loop;
    raise exception 'another node holds lock % of Hapax', p_number using errcode = '55P03';
  end $$;
`
