"""How pages write dates and times (https://docs.djangoproject.com/en/5.2/topics/i18n/formatting/)."""
