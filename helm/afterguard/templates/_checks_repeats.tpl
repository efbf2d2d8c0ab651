{{/* Checks of additions: Helm 4 applies server-side, where a name that stands twice is an error. */}}

{{/* Prints each of a list that is there more than once. */}}
{{- define "afterguard.repeated" -}}
{{- $seen := dict -}}
{{- $told := list -}}
{{- range . -}}
{{- $name := toString . -}}
{{- if and (hasKey $seen $name) (not (has $name $told)) -}}{{- $told = append $told $name -}}{{- end -}}
{{- $_ := set $seen $name true -}}
{{- end -}}
{{- join ", " $told -}}
{{- end -}}

{{- define "afterguard.check.variables" -}}
{{- $names := list -}}
{{- range concat (include "afterguard.env" . | fromYamlArray) .Values.extraEnv -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- with include "afterguard.repeated" $names }}
extraEnv repeats {{ . }}: each variable may be set once, and the chart sets its own
{{- end }}
{{- range .Values.extraEnv }}
{{- if and (hasPrefix "AFTERGUARD_" .name) (hasKey . "value") }}
extraEnv sets {{ .name }} by value: write it under `settings`, where the chart can see it (a secret comes by valueFrom)
{{- end }}
{{- end }}
{{- end -}}

{{- define "afterguard.check.mounts" -}}
{{- $volumes := list -}}
{{- range concat (include "afterguard.volumes" . | fromYamlArray) .Values.extraVolumes -}}
{{- $volumes = append $volumes .name -}}
{{- end -}}
{{- with include "afterguard.repeated" $volumes }}
extraVolumes repeats {{ . }}: each volume needs a name of its own
{{- end }}
{{- $paths := list -}}
{{- range concat (include "afterguard.mounts" . | fromYamlArray) .Values.extraVolumeMounts -}}
{{- $paths = append $paths (trimSuffix "/" .mountPath) -}}
{{- if not (has .name $volumes) }}
extraVolumeMounts mounts {{ .name }}, and there is no such volume: add it to extraVolumes
{{- end }}
{{- end -}}
{{- with include "afterguard.repeated" $paths }}
extraVolumeMounts repeats {{ . }}: each path may be mounted once (see model.cache.mountPath, too)
{{- end }}
{{- end -}}

{{- define "afterguard.check.ports" -}}
{{- $numbers := list (int .Values.http.port) -}}
{{- $portNames := list "http" -}}
{{- $names := list "worker" -}}
{{- range .Values.extraInitContainers -}}
{{- $names = append $names .name -}}
{{- end -}}
{{- range .Values.extraContainers -}}
{{- $names = append $names .name -}}
{{- range .ports -}}
{{- $numbers = append $numbers (int .containerPort) -}}
{{- with .name -}}{{- $portNames = append $portNames . -}}{{- end -}}
{{- end -}}
{{- end -}}
{{- with include "afterguard.repeated" $names }}
extraContainers repeats {{ . }}: each container needs a name of its own
{{- end }}
{{- with include "afterguard.repeated" $numbers }}
extraContainers repeats port {{ . }}: the containers of a pod share their ports
{{- end }}
{{- with include "afterguard.repeated" $portNames }}
extraContainers repeats the port name {{ . }}: each needs one of its own
{{- end }}
{{- end -}}

{{- define "afterguard.check.labels" -}}
{{- $ours := list "helm.sh/chart" "app.kubernetes.io/name" "app.kubernetes.io/instance" "app.kubernetes.io/component" "app.kubernetes.io/version" "app.kubernetes.io/managed-by" "app.kubernetes.io/part-of" -}}
{{- range $name, $labels := dict "commonLabels" .Values.commonLabels "podLabels" .Values.podLabels -}}
{{- range $key, $_ := $labels }}
{{- if has $key $ours }}
{{ $name }} sets {{ $key }}, which the chart sets and selects by: use nameOverride, or another label
{{- end }}
{{- end }}
{{- end -}}
{{- range $key, $_ := .Values.podAnnotations }}
{{- if hasPrefix "checksum/" $key }}
podAnnotations sets {{ $key }}: annotations under checksum/ are the chart's
{{- end }}
{{- end }}
{{- end -}}
