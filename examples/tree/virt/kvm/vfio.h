/* SPDX-License-Identifier: MIT */
#ifndef __KVM_VFIO_H
#define __KVM_VFIO_H

int kvm_vfio_ops_init(void);

#endif
