#!/bin/sh
# Writes deploy/.env: two addresses, and secrets that nobody has seen. It is written once, and never over another.
#   deploy/new-env.sh receipts.example.com n8n.example.com [grafana.example.com]
set -eu

if [ "$#" -lt 2 ] || [ "$#" -gt 3 ]; then
    echo "usage: $0 HOST N8N_HOST [GRAFANA_HOST]" >&2
    exit 2
fi
for host; do
    case $host in
    "" | *[/:[:space:]]*)
        echo "Name hosts without https:// and port, such as receipts.example.com; nothing was written." >&2
        exit 2
        ;;
    esac
done
file="$(dirname "$0")/.env"
if [ -e "$file" ]; then
    echo "$file is there already; it holds the keys to what was encrypted and signed, so it stays as it is." >&2
    exit 1
fi

secret() { od -An -N32 -tx1 /dev/urandom | tr -d ' \n'; }

umask 077
cat >"$file.new" <<END
# Made by new-env.sh. Everything that .env.example explains may be set here; a backup of this file belongs somewhere safe.
PUBLIC_BASE_URL=https://$1
CALLBACK_BASE_URL=http://web:8000
N8N_WEBHOOK_URL=http://n8n:5678/webhook/receipts
N8N_BASE_URL=https://$2
GRAFANA_BASE_URL=https://${3:-grafana.localhost}

SECRET_KEY=$(secret)
AUDIT_KEY=$(secret)
N8N_API_KEY=$(secret)
N8N_WEBHOOK_SECRET=$(secret)
CALLBACK_SECRET_TOKEN=$(secret)

# of the other containers
POSTGRES_PASSWORD=$(secret)
N8N_ENCRYPTION_KEY=$(secret)
METRICS_TOKEN=$(secret)
GRAFANA_PASSWORD=$(secret)

# how many web processes and workers, and how long a worker may finish a delivery when it is stopped
WEBS=1
WORKERS=2
WORKER_GRACE=150s

# What else is often set; .env.example explains it. "docker compose up --detach" makes a change known.
# N8N_PUBLIC_API_KEY=
# N8N_MAX_IN_FLIGHT=100
# CANARY_INTERVAL_SECONDS=900
# RETENTION_DAYS=90
# S3_BUCKET=
# S3_REGION=
# S3_ENDPOINT_URL=
# S3_ACCESS_KEY_ID=
# S3_SECRET_ACCESS_KEY=
# SENTRY_DSN=
END
mv "$file.new" "$file"
echo "Wrote $file."
