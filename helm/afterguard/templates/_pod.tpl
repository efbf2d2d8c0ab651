{{/* The worker's container: variables, volumes, mounts, resources. */}}

{{/* Seconds between SIGTERM and SIGKILL that the worker needs (docs/worker.md says why 40). */}}
{{- define "afterguard.graceNeeded" -}}
{{- $config := include "afterguard.config" . | fromYaml -}}
{{- $drain := dig "delivery" "drain_timeout_s" 30.0 $config -}}
{{- $stop := dig "engine" "stop_timeout_s" 20.0 $config -}}
{{- $flush := ternary (dig "tracing" "flush_timeout_s" 5.0 $config) 0.0 (eq true (dig "tracing" "enabled" false $config)) -}}
{{- ceil (addf (float64 $drain) (float64 $stop) (float64 $flush) 40.0) | int -}}
{{- end -}}

{{- define "afterguard.gracePeriod" -}}
{{- if kindIs "invalid" .Values.terminationGracePeriodSeconds -}}
{{- include "afterguard.graceNeeded" . -}}
{{- else -}}
{{- int .Values.terminationGracePeriodSeconds -}}
{{- end -}}
{{- end -}}

{{- define "afterguard.startupBudget" -}}
{{- mul (int .Values.startupProbe.periodSeconds) (int .Values.startupProbe.failureThreshold) -}}
{{- end -}}

{{- define "afterguard.progressDeadline" -}}
{{- if kindIs "invalid" .Values.progressDeadlineSeconds -}}
{{- add (int (include "afterguard.startupBudget" .)) (int (include "afterguard.gracePeriod" .)) 600 -}}
{{- else -}}
{{- int .Values.progressDeadlineSeconds -}}
{{- end -}}
{{- end -}}

{{/* Whether the model hub may never be asked. */}}
{{- define "afterguard.offline" -}}
{{- $cache := .Values.model.cache -}}
{{- if or .Values.model.offline (and (eq $cache.type "existingClaim") $cache.readOnly) -}}true{{- end -}}
{{- end -}}

{{/* Name of the claim that holds the model; nothing when it is an emptyDir or no engine is here. */}}
{{- define "afterguard.modelClaim" -}}
{{- $cache := .Values.model.cache -}}
{{- if eq .Values.engine.kind "vllm" -}}
{{- if eq $cache.type "newClaim" -}}
{{- printf "%s-model" (include "afterguard.fullname" .) -}}
{{- else if eq $cache.type "existingClaim" -}}
{{- $cache.existingClaim -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* Variables that this chart sets; `extraEnv` comes behind and may repeat none of them. */}}
{{- define "afterguard.env" -}}
- name: AFTERGUARD_CONFIG
  value: /etc/afterguard/afterguard.yaml
- name: HOME
  value: /cache/home
- name: XDG_CACHE_HOME
  value: /cache/xdg
- name: XDG_CONFIG_HOME
  value: /cache/config
{{- if eq .Values.engine.kind "vllm" }}
- name: HF_HOME
  value: /cache/huggingface
- name: HF_MODULES_CACHE
  value: /cache/hf-modules
- name: VLLM_CACHE_ROOT
  value: /cache/vllm
- name: VLLM_CONFIG_ROOT
  value: /cache/vllm-config
- name: TRITON_CACHE_DIR
  value: /cache/triton
- name: TORCHINDUCTOR_CACHE_DIR
  value: /cache/torchinductor
- name: NUMBA_CACHE_DIR
  value: /cache/numba
- name: HF_HUB_DISABLE_TELEMETRY
  value: "1"
- name: VLLM_NO_USAGE_STATS
  value: "1"
- name: DO_NOT_TRACK
  value: "1"
{{- if include "afterguard.offline" . }}
- name: HF_HUB_OFFLINE
  value: "1"
{{- end }}
{{- with .Values.model.hubToken }}
{{- if .existingSecret }}
- name: HF_TOKEN
  valueFrom:
    secretKeyRef:
      name: {{ .existingSecret | quote }}
      key: {{ .key | quote }}
{{- end }}
{{- end }}
{{- end }}
{{- include "afterguard.secretEnv" . }}
{{- end -}}

{{/* Settings, policies and secrets: {root, config}; `config` names the ConfigMap when it is another. */}}
{{- define "afterguard.configVolumes" -}}
{{- $root := .root -}}
- name: config
  configMap:
    name: {{ default (printf "%s-config" (include "afterguard.fullname" $root)) .config }}
{{- if and $root.Values.policies.files (not .config) }}
- name: policies
  configMap:
    name: {{ include "afterguard.fullname" $root }}-policies
{{- else if and $root.Values.policies.existingConfigMap (not .config) }}
- name: policies
  configMap:
    name: {{ $root.Values.policies.existingConfigMap | quote }}
{{- end }}
{{- include "afterguard.secretVolumes" $root }}
{{- end -}}

{{- define "afterguard.configMounts" -}}
{{- $root := .root -}}
- name: config
  mountPath: /etc/afterguard/afterguard.yaml
  subPath: afterguard.yaml
  readOnly: true
{{- if and (or $root.Values.policies.files $root.Values.policies.existingConfigMap) (not .config) }}
- name: policies
  mountPath: /etc/afterguard/policies
  readOnly: true
{{- end }}
{{- include "afterguard.secretMounts" $root }}
{{- end -}}

{{- define "afterguard.volumes" -}}
{{ include "afterguard.configVolumes" (dict "root" .) }}
- name: tmp
  emptyDir:
    sizeLimit: {{ .Values.scratch.tmpSize }}
- name: cache
  emptyDir:
    sizeLimit: {{ include "afterguard.cacheSize" . }}
{{- if eq .Values.engine.kind "vllm" }}
{{- if include "afterguard.modelClaim" . }}
- name: model
  persistentVolumeClaim:
    claimName: {{ include "afterguard.modelClaim" . }}
    {{- if include "afterguard.modelReadOnly" . }}
    readOnly: true
    {{- end }}
{{- else if not .Values.model.baked }}
- name: model
  emptyDir:
    sizeLimit: {{ .Values.model.cache.size }}
{{- end }}
- name: shm
  emptyDir:
    medium: Memory
    sizeLimit: {{ .Values.scratch.shmSize }}
{{- end }}
{{- end -}}

{{- define "afterguard.cacheSize" -}}
{{- ternary .Values.scratch.cacheSize "1Gi" (eq .Values.engine.kind "vllm") -}}
{{- end -}}

{{- define "afterguard.modelReadOnly" -}}
{{- $cache := .Values.model.cache -}}
{{- if and (eq $cache.type "existingClaim") $cache.readOnly -}}true{{- end -}}
{{- end -}}

{{- define "afterguard.mounts" -}}
{{ include "afterguard.configMounts" (dict "root" .) }}
- name: tmp
  mountPath: /tmp
- name: cache
  mountPath: /cache
{{- if eq .Values.engine.kind "vllm" }}
{{- if or (include "afterguard.modelClaim" .) (not .Values.model.baked) }}
- name: model
  mountPath: {{ .Values.model.cache.mountPath }}
  {{- if and (include "afterguard.modelClaim" .) .Values.model.cache.subPath }}
  subPath: {{ .Values.model.cache.subPath | quote }}
  {{- end }}
  {{- if include "afterguard.modelReadOnly" . }}
  readOnly: true
  {{- end }}
{{- end }}
- name: shm
  mountPath: /dev/shm
{{- end }}
{{- end -}}

{{/* Defaults by engine, what was said over them, and the GPUs in both halves. */}}
{{- define "afterguard.resources" -}}
{{- $small := dict "requests" (dict "cpu" "1" "memory" "2Gi") "limits" (dict "memory" "4Gi") -}}
{{- $large := dict "requests" (dict "cpu" "4" "memory" "24Gi") "limits" (dict "memory" "48Gi") -}}
{{- $resources := ternary $large $small (eq .Values.engine.kind "vllm") -}}
{{- $resources = mergeOverwrite $resources (deepCopy .Values.resources) -}}
{{- $gpus := int (include "afterguard.gpuCount" .) -}}
{{- if gt $gpus 0 -}}
{{- range $half := list "requests" "limits" -}}
{{- $_ := set (get $resources $half) $.Values.gpu.resourceName $gpus -}}
{{- end -}}
{{- end -}}
{{- toYaml $resources -}}
{{- end -}}

{{- define "afterguard.tolerations" -}}
{{- $all := .Values.tolerations -}}
{{- if and .Values.gpu.tolerate (gt (int (include "afterguard.gpuCount" .)) 0) -}}
{{- $name := .Values.gpu.resourceName -}}
{{- $taint := ternary "nvidia.com/gpu" $name (hasPrefix "nvidia.com/" $name) -}}
{{- $all = prepend $all (dict "key" $taint "operator" "Exists" "effect" "NoSchedule") -}}
{{- end -}}
{{- if $all }}{{ toYaml $all }}{{ end -}}
{{- end -}}

{{/* Spread over the workers of this release where a constraint does not say over what. */}}
{{- define "afterguard.spread" -}}
{{- $labels := include "afterguard.workerLabels" . | fromYaml -}}
{{- $all := list -}}
{{- range .Values.topologySpreadConstraints -}}
{{- if hasKey . "labelSelector" -}}
{{- $all = append $all . -}}
{{- else -}}
{{- $all = append $all (merge (dict "labelSelector" (dict "matchLabels" $labels)) .) -}}
{{- end -}}
{{- end -}}
{{- if $all }}{{ toYaml $all }}{{ end -}}
{{- end -}}
