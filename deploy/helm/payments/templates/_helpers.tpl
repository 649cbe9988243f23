{{/* The labels of a part: dict "root" $ "part" "gateway". */}}
{{- define "payments.labels" -}}
app: {{ .root.Release.Name }}
part: {{ .part }}
{{- end }}

{{/* What all pods have: who they are, and that they may do nothing beside. */}}
{{- define "payments.pod" -}}
serviceAccountName: {{ .Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext: {runAsNonRoot: true, runAsUser: {{ .Values.user }}, runAsGroup: {{ .Values.user }}, fsGroup: {{ .Values.user }}, seccompProfile: {type: RuntimeDefault}}
{{- end }}

{{/* The volumes of a pod, by its secret: dict "root" $ "secret" "gateway". */}}
{{- define "payments.volumes" -}}
- {name: tmp, emptyDir: {sizeLimit: 256Mi}}
- {name: secrets, secret: {secretName: {{ index .root.Values.secrets .secret }}, defaultMode: 0440}}
{{- end }}

{{/* What all containers have. */}}
{{- define "payments.container" -}}
name: payments
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
envFrom: [{configMapRef: {name: {{ .Release.Name }}}}]
securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: secrets, mountPath: /run/secrets/payments, readOnly: true}
{{- end }}

{{/* Settings that are files: dict "NAME" "file" and so on, in the order of their names. */}}
{{- define "payments.files" -}}
{{- range $name, $file := . }}
- {name: {{ $name }}_FILE, value: /run/secrets/payments/{{ $file }}}
{{- end }}
{{- end }}

{{/* The environment of workers and beats: the name of their secret. */}}
{{- define "payments.workerEnvironment" -}}
{{- $files := dict "WORKER_DATABASE_URL" "worker_database_url" "REDIS_URL" "worker_redis_url" "METRICS_TOKEN" "metrics_token" }}
{{- if eq . "upkeep" }}{{ $_ := set $files "RECEIPT_KEY" "receipt_key" }}{{ end }}
{{- include "payments.files" $files }}
- {name: METRICS_BIND, value: "0.0.0.0:9100"}
{{- end }}
