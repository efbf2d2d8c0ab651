{{/* Names, labels and what is said in more than one object. */}}

{{- define "afterguard.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{/* Short enough for what is appended: `-config`, `-policies`. */}}
{{- define "afterguard.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- $full := ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) -}}
{{- $full | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels of every object of the chart. */}}
{{- define "afterguard.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "afterguard.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: afterguard
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "afterguard.selectorLabels" -}}
app.kubernetes.io/name: {{ include "afterguard.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Those of the workers alone: a Job and a test of the same release are none. */}}
{{- define "afterguard.workerLabels" -}}
{{ include "afterguard.selectorLabels" . }}
app.kubernetes.io/component: worker
{{- end -}}

{{- define "afterguard.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "afterguard.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{/* GPUs of each worker: what was said, else one where the model runs in the worker. */}}
{{- define "afterguard.gpuCount" -}}
{{- if kindIs "invalid" .Values.gpu.count -}}
{{- ternary 1 0 (eq .Values.engine.kind "vllm") -}}
{{- else -}}
{{- int .Values.gpu.count -}}
{{- end -}}
{{- end -}}

{{- define "afterguard.image" -}}
{{- $suffix := ternary "gpu" "cpu" (gt (int (include "afterguard.gpuCount" .)) 0) -}}
{{- include "afterguard.imageOf" (dict "root" . "suffix" $suffix) -}}
{{- end -}}

{{/* For commands that need no engine: the small image, unless another one was chosen. */}}
{{- define "afterguard.smallImage" -}}
{{- include "afterguard.imageOf" (dict "root" . "suffix" "cpu") -}}
{{- end -}}

{{- define "afterguard.imageOf" -}}
{{- $image := .root.Values.image -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $image.repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $image.repository (default (printf "%s-%s" .root.Chart.AppVersion .suffix) $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Whether there may be more than one worker. */}}
{{- define "afterguard.severalWorkers" -}}
{{- if or .Values.autoscaling.keda.enabled (gt (int .Values.replicaCount) 1) -}}true{{- end -}}
{{- end -}}
