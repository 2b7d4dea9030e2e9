"""The admin's site: Django sets it up before any model is registered, so that nothing here may register one."""
