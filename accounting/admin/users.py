"""Users and groups, so that nobody becomes more than he is, and nothing that somebody did is forgotten.

Django's own pages let whoever may change users make himself a superuser, or set a superuser's password
(https://docs.djangoproject.com/en/5.2/topics/auth/default/#creating-users). Here nobody gives, or takes over, what he
does not have himself.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

from django.contrib import admin
from django.contrib.admin.utils import unquote
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, UserCreationForm
from django.contrib.auth.models import Group, Permission, User
from django.db import transaction
from django.db.models import ManyToManyField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from accounting.roles import ROLES, label, may_give, permissions_of
from accounting.sessions import end_sessions
from accounting.staff import staff_of

from .base import in_utc
from .permissions import name_plainly, plain_names
from .rights import TellsRights

admin.site.unregister([User, Group])

FOR_SUPERUSERS = ("is_superuser", "user_permissions")
LET_IN = ("is_active", "is_staff", "is_superuser")


class PasswordForm(AdminPasswordChangeForm):  # type: ignore[type-arg] # only in the stubs it has one
    """Django's, without what it says of other ways to log in: there are none."""

    usable_password_help_text = (
        '<ul id="id_unusable_warning" class="messagelist"><li class="warning">'  # noqa: S105 - no password
        "If disabled, the password is lost, and the user cannot log in until somebody sets a new one.</li></ul>"
    )


@admin.register(User)
class StaffAdmin(TellsRights[User], UserAdmin[User]):
    """Who works here. A name is for good, since timelines name people by it; who leaves is deactivated."""

    add_form = UserCreationForm
    add_fieldsets = ((None, {"classes": ("wide",), "fields": ("username", "password1", "password2")}),)
    change_password_form = PasswordForm
    list_display = ("username", "first_name", "last_name", "is_staff", "is_active", "logged_in")
    logged_in = in_utc("last_login", "last login")
    joined = in_utc("date_joined", "date joined")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Tell whether the user may add users and change them, as Django's form for it asks for."""
        return super().has_add_permission(request) and self.has_change_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Tell whether the user may change users, and has everything that this one has."""
        may = super().has_change_permission(request, obj)
        if obj is None or not may:
            return may
        return request.user.is_superuser or (not obj.is_superuser and may_give(staff_of(request), permissions_of(obj)))

    def has_delete_permission(self, request: HttpRequest, obj: User | None = None) -> bool:
        """Refuse: with a user goes the log of what he did."""
        return False

    def save_model(self, request: HttpRequest, obj: User, form: Any, change: bool) -> None:
        """Save the user: a new one may log in (clients have keys), one whom this shuts out is logged out everywhere."""
        obj.is_staff = obj.is_staff or not change
        super().save_model(request, obj, form, change)
        if change and not (obj.is_active and obj.is_staff):
            transaction.on_commit(partial(end_sessions, obj))  # until then he may log in

    @method_decorator(sensitive_post_parameters())
    def user_change_password(self, request: HttpRequest, id: str, form_url: str = "") -> HttpResponse:  # noqa: A002 - Django's
        """Let nobody set his own password here, where the old one is not asked for: lead him to the page that asks."""
        if self.get_object(request, unquote(id)) == request.user:
            return HttpResponseRedirect(reverse("admin:password_change"))
        return super().user_change_password(request, id, form_url)

    def get_fieldsets(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return the fields, without a password's digest for who may only look, and permissions by plain names."""
        others: dict[Any, str] = {"last_login": "logged_in", "date_joined": "joined"}
        if obj is not None and not self.has_change_permission(request, obj):
            others["password"] = ""
        if obj is not None and not request.user.is_superuser:
            others["user_permissions"] = "own_permissions"
        return [
            (name, {**given, "fields": _with_others(given["fields"], others)})
            for name, given in super().get_fieldsets(request, obj)
        ]

    @admin.display(description="user permissions")
    def own_permissions(self, user: User) -> str:
        """Return what the user may do besides what groups let him."""
        return plain_names(user.user_permissions.select_related("content_type"))

    def get_readonly_fields(self, request: HttpRequest, obj: User | None = None) -> Any:
        """Return what stays as it is: times, names, what only superusers give, and of oneself what lets one in."""
        fixed = {*super().get_readonly_fields(request, obj), "logged_in", "joined"}
        if obj is not None:
            fixed.add("username")
        if obj == request.user:  # the last superuser would be out with one click, and nobody could let him in again
            fixed.update(LET_IN)
        return tuple(fixed if request.user.is_superuser else fixed.union(FOR_SUPERUSERS, ["own_permissions"]))

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest, **kwargs: Any
    ) -> Any:
        """Offer groups that the user could be a member of himself."""
        if db_field.name == "groups":
            kwargs["queryset"] = _groups_to_give(staff_of(request))
            kwargs["help_text"] = "The user's roles, and other groups: who is in none sees nothing."
        field = super().formfield_for_manytomany(db_field, request, **kwargs)
        if db_field.name == "user_permissions":
            name_plainly(field)
        return field


@admin.register(Group)
class RolesAdmin(TellsRights[Group], GroupAdmin):
    """Groups: the three roles as they are, and others that staff make of what they may do themselves."""

    list_display = ("name", "kind")

    @admin.display(description="kind")
    def kind(self, group: Group) -> str:
        """Tell whether it is one of ours."""
        return "role, set after each migration" if group.name in ROLES else "made by staff"

    def has_change_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Tell whether the user may change groups, and this one is no role and gives nothing that he does not have."""
        return super().has_change_permission(request, obj) and _may_touch(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Group | None = None) -> bool:
        """Tell the same of deleting."""
        return super().has_delete_permission(request, obj) and _may_touch(request, obj)

    def formfield_for_manytomany(
        self, db_field: "ManyToManyField[Any, Any]", request: HttpRequest | None = None, **kwargs: Any
    ) -> Any:
        """Offer what the user may do himself."""
        if db_field.name == "permissions" and request is not None:
            kwargs["queryset"] = _permissions_to_give(staff_of(request))
        field = super().formfield_for_manytomany(db_field, request=request, **kwargs)
        name_plainly(field)
        return field

    def get_fields(self, request: HttpRequest, obj: Group | None = None) -> list[Any]:
        """Return name and permissions, which are a text to who may only look."""
        return ["name", "given"] if self._is_only_shown(request, obj) else ["name", "permissions"]

    def get_readonly_fields(self, request: HttpRequest, obj: Group | None = None) -> tuple[str, ...]:
        """Return the text."""
        return ("given",) if self._is_only_shown(request, obj) else ()

    def _is_only_shown(self, request: HttpRequest, obj: Group | None) -> bool:
        return obj is not None and not self.has_change_permission(request, obj)

    @admin.display(description="permissions")
    def given(self, group: Group) -> str:
        """Return what its members may do."""
        return plain_names(group.permissions.select_related("content_type"))


def _with_others(fields: Iterable[Any], others: dict[Any, str]) -> list[Any]:
    """Return the fields with others in the place of some, and without those that "" takes the place of."""
    return [shown for shown in (others.get(field, field) for field in fields) if shown]


def _may_touch(request: HttpRequest, group: Group | None) -> bool:
    return group is None or (group.name not in ROLES and may_give(staff_of(request), group.permissions.all()))


def _groups_to_give(giver: User) -> QuerySet[Group]:
    return Group.objects.exclude(permissions__in=Permission.objects.exclude(pk__in=_permissions_to_give(giver)))


def _permissions_to_give(giver: User) -> QuerySet[Permission]:
    every = Permission.objects.select_related("content_type")
    return every.filter(pk__in=[each.pk for each in every if label(each) in giver.get_all_permissions()])
