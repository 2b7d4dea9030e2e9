"""A code for what could not be sent, for want of a disk, a storage or time."""

from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0016_when_a_seal_was_made'),
    ]

    operations = [
        migrations.AlterField(
            model_name='joblog',
            name='failure_code',
            field=models.CharField(blank=True, choices=[('workflow_failed', 'The workflow ran and failed'), ('workflow_stopped', 'The workflow was stopped before its end'), ('workflow_crashed', 'N8N stopped while it ran the workflow'), ('credential_missing', 'A node of the workflow has no credential'), ('credential_refused', "A service did not accept the credential of the workflow's node"), ('service_busy', 'A service that the workflow uses had too many requests'), ('service_unavailable', 'A service that the workflow uses was away'), ('notion_not_shared', 'Notion knows no such database, or the integration may not see it'), ('notion_key_refused', "Notion did not accept the integration's secret"), ('notion_not_allowed', 'Notion does not allow that to the integration'), ('notion_property_wrong', 'A property of the Notion database is missing or of another type'), ('notion_several_sources', 'The Notion database has several data sources'), ('notion_busy', 'Notion had too many requests'), ('notion_unavailable', 'Notion was away'), ('ai_key_refused', "The AI model's service did not accept its key"), ('ai_quota_used_up', "The AI model's account has nothing left to spend"), ('ai_busy', "The AI model's service had too many requests"), ('ai_model_unknown', 'The AI model does not exist, or not for this key'), ('ai_answer_unreadable', "The AI model's answer was not what the workflow reads"), ('callback_lost', 'The workflow ran to its end, and its callback never came'), ('callback_timeout', 'N8N took it and never called back'), ('delivery_unconfirmed', 'N8N may have it, but never said so'), ('n8n_unavailable', 'N8N did not take it in any of the tries'), ('n8n_rejected', 'N8N refused the request'), ('n8n_redirected', "The webhook's address redirects elsewhere"), ('payload_too_large', 'The request is larger than N8N, or a proxy before it, takes'), ('not_sent', 'It could not be sent to N8N in any of the tries'), ('file_missing', "The receipt's file is gone"), ('file_unreadable', "No picture could be made of the receipt's file"), ('cancelled', 'Cancelled by staff')], max_length=40),
        ),
    ]
