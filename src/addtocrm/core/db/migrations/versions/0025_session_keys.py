"""A key may belong to a session: it is revoked when that ends, however it does."""

from alembic import op

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    op.execute("""
    alter table keys add column session_id text collate "C" unique;
    comment on column keys.session_id is 'the session that it ends with; null: it ends with none';
    create index keys_of_sessions on keys (created_at) where session_id is not null and revoked_at is null;

    create function revoke_session_key(key keys) returns void language plpgsql as $$
    begin
        update keys set revoked_at = now() where id = key.id and revoked_at is null;
        if found then
            insert into events_outbox (id, account_id, type, actor, data)
            values (new_id('evt'), key.account_id, 'key.revoked', 'system',
                    json_build_object('id', key.id, 'name', key.name));
        end if;
    end $$;
    create function revoke_key_of_session() returns trigger language plpgsql as $$
    begin
        perform revoke_session_key(k) from keys k where session_id = old.id;
        return null;
    end $$;
    create trigger revoke_key_of_session after delete on sessions
        for each row execute function revoke_key_of_session();
    """)
