import pytest
from django.contrib.auth.models import Group
from accounting.roles import ROLES, label

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("name", ROLES)
def test_x(name):
    assert {label(p) for p in Group.objects.get(name=name).permissions.select_related("content_type")} == ROLES[name]
