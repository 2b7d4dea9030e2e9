from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('jobs', '0015_brought_forward'),
    ]

    operations = [
        migrations.AddField(
            model_name='seal',
            name='made_at',
            field=models.DateTimeField(editable=False, null=True),
        ),
    ]
