"""A wording of a policy is written once; of a sign-off only its withdrawal is, and that once: the database refuses the rest."""

from django.db import migrations

REFUSE = """
CREATE FUNCTION approvals_refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'Rows of % are written once: % is refused.', TG_TABLE_NAME, TG_OP USING ERRCODE = 'restrict_violation';
END
$$
"""
WITHDRAW_ONLY = """
CREATE FUNCTION approvals_only_withdraw() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.withdrawn_at IS NULL
       AND to_jsonb(NEW) - ARRAY['withdrawn_at', 'withdrawn_by'] = to_jsonb(OLD) - ARRAY['withdrawn_at', 'withdrawn_by'] THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'A sign-off is written once and withdrawn once: % is refused.', TG_OP USING ERRCODE = 'restrict_violation';
END
$$
"""
GUARD = """
CREATE TRIGGER approvals_policyversion_rows BEFORE UPDATE OR DELETE ON approvals_policyversion
    FOR EACH ROW EXECUTE FUNCTION approvals_refuse();
CREATE TRIGGER approvals_policyversion_truncate BEFORE TRUNCATE ON approvals_policyversion
    FOR EACH STATEMENT EXECUTE FUNCTION approvals_refuse();
CREATE TRIGGER approvals_signoff_update BEFORE UPDATE ON approvals_signoff
    FOR EACH ROW EXECUTE FUNCTION approvals_only_withdraw();
CREATE TRIGGER approvals_signoff_delete BEFORE DELETE ON approvals_signoff
    FOR EACH ROW EXECUTE FUNCTION approvals_refuse();
CREATE TRIGGER approvals_signoff_truncate BEFORE TRUNCATE ON approvals_signoff
    FOR EACH STATEMENT EXECUTE FUNCTION approvals_refuse()
"""
UNGUARD = """
DROP TRIGGER approvals_policyversion_rows ON approvals_policyversion;
DROP TRIGGER approvals_policyversion_truncate ON approvals_policyversion;
DROP TRIGGER approvals_signoff_update ON approvals_signoff;
DROP TRIGGER approvals_signoff_delete ON approvals_signoff;
DROP TRIGGER approvals_signoff_truncate ON approvals_signoff
"""


class Migration(migrations.Migration):
    dependencies = [("approvals", "0001_initial")]

    operations = [
        migrations.RunSQL(REFUSE, "DROP FUNCTION approvals_refuse()"),
        migrations.RunSQL(WITHDRAW_ONLY, "DROP FUNCTION approvals_only_withdraw()"),
        migrations.RunSQL(GUARD, UNGUARD),
    ]
